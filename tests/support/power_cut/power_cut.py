#!/usr/bin/env python3
"""What a power cut may leave of a folder, from the journal of libpower_cut.so (README.md).

The model is a disk that keeps only what it was told to, and of the rest anything:
- of a file's pages (4 KiB) written since its last fsync each is there or is not; one that is not has its
  old bytes, or zeros where the file was shorter; so may the size be the old one, or any between;
- of a folder's entries (created, renamed, removed) since its last fsync a first part is there, in order;
- pages whose fsync failed are lost, even if a later one succeeds.

As a program: power_cut.py JOURNAL ROOT INTO [--seed N] [--at RECORD]
"""

import argparse
import json
import os
import random
import shutil

PAGE = 4096


class Inode:
    """A file: what programs see, and for each page that is not durable what the disk has instead."""

    def __init__(self, content=b"", size_on_disk=0):
        self.data = bytearray(content)
        self.size_on_disk = size_on_disk  # the durable size
        self.old = {}       # page → bytes on the disk, for pages written since the last sync began
        self.syncing = {}   # sync id → (the same of before it, size when it began)
        self.lost = {}      # … of pages whose sync failed

    def page(self, number):
        return bytes(self.data[number * PAGE:(number + 1) * PAGE])

    def _remember(self, first, last):
        for number in range(first, last):
            if number not in self.old:
                lost = self.lost.pop(number, None)
                self.old[number] = self.page(number) if lost is None else lost

    def write(self, offset, content):
        end = offset + len(content)
        self._remember(offset // PAGE, (end + PAGE - 1) // PAGE)
        if offset > len(self.data):
            self.data.extend(bytes(offset - len(self.data)))
        self.data[offset:end] = content

    def truncate(self, size):
        self._remember(size // PAGE, (max(len(self.data), size) + PAGE - 1) // PAGE)
        del self.data[size:]
        self.data.extend(bytes(size - len(self.data)))

    def sync_begin(self, sync):
        self.syncing[sync] = (self.old, len(self.data))
        self.old = {}

    def sync_end(self, sync):
        if sync not in self.syncing:  # a later one has done it
            return
        while True:  # with those that began before it: of a killed program, they never end
            begun = next(iter(self.syncing))
            _, self.size_on_disk = self.syncing.pop(begun)
            if begun == sync:
                return

    def sync_failed(self, sync):
        old, _ = self.syncing.pop(sync, ({}, 0))
        for number, content in old.items():
            self.lost.setdefault(number, content)

    def after_power_cut(self, rng):
        unsure = dict(self.old)
        sizes = {self.size_on_disk, len(self.data)}
        for old, size in reversed(self.syncing.values()):
            unsure.update(old)  # what was there before the sync is what the disk has
            sizes.add(size)
        kept = rng.random()     # some cuts keep nearly all, some nearly nothing
        content = bytearray(self.data)
        content.extend(bytes(max(0, self.size_on_disk - len(content))))
        dropped = [n for n in sorted(unsure) if rng.random() >= kept]
        for number, old in [(n, unsure[n]) for n in dropped] + list(self.lost.items()):
            begin = number * PAGE
            end = min(begin + PAGE, len(content))
            content[begin:end] = (old + bytes(PAGE))[:max(0, end - begin)]
        if not unsure and not self.lost and len(sizes) == 1:
            return bytes(content)
        size = rng.choice(sorted(sizes) + [rng.randint(min(sizes), max(sizes))])
        return bytes(content[:size])


class Folder:
    """Entries as programs see them, and the steps since the folder was last synced."""

    def __init__(self):
        self.durable = {}  # name → Inode or Folder
        self.steps = []    # functions on such a dictionary
        self.syncing = {}

    def entries(self, steps=None):
        entries = dict(self.durable)
        for step in self.steps if steps is None else steps:
            step(entries)
        return entries

    def add(self, name, what):
        self.steps.append(lambda entries: entries.__setitem__(name, what))

    def remove(self, name):
        self.steps.append(lambda entries: entries.pop(name, None))

    def rename(self, name, to, what):
        def step(entries):
            entries.pop(name, None)
            entries[to] = what
        self.steps.append(step)

    def sync_begin(self, sync):
        self.syncing[sync] = len(self.steps)

    def sync_end(self, sync):
        done = self.syncing.pop(sync)
        self.durable = self.entries(self.steps[:done])
        del self.steps[:done]
        self.syncing = {s: max(0, n - done) for s, n in self.syncing.items()}

    def sync_failed(self, sync):
        self.syncing.pop(sync)


def read_journal(path):
    """The records, each with its payload. A torn one at the end, of a killed program, is left out."""
    records = []
    with open(path, "rb") as journal:
        while line := journal.readline():
            if not line.endswith(b"\n"):
                break
            record = json.loads(line)
            length = record.get("len", 0)
            record["payload"] = journal.read(length)
            record["end"] = journal.tell()
            if len(record["payload"]) < length:
                break
            records.append(record)
    return records


class Disk:
    def __init__(self, root):
        self.root = os.path.realpath(root)
        self.top = Folder()
        self.inodes = {}
        self.marks = []

    def _split(self, path):
        """The folder a path lies in, and its name there."""
        folder = self.top
        parts = os.path.relpath(path, self.root).split(os.sep)
        for part in parts[:-1]:
            folder = folder.entries()[part]
        return folder, parts[-1]

    def _find(self, path):
        if os.path.normpath(path) == self.root:
            return self.top
        folder, name = self._split(path)
        return folder.entries().get(name)

    def _inode(self, record):
        """The file a record is about; one nobody saw created (fopen) is taken for new."""
        found = self._find(record["path"]) if "path" in record else None
        if isinstance(found, Folder):
            return found
        if record["ino"] not in self.inodes:
            self._create(record)
        return self.inodes[record["ino"]]

    def _create(self, record):
        folder, name = self._split(record["path"])
        self.inodes[record["ino"]] = Inode()
        folder.add(name, self.inodes[record["ino"]])

    def apply(self, record):
        op = record["op"]
        if op == "base":
            folder, name = self._split(record["path"])
            inode = Inode(record["payload"], len(record["payload"]))
            self.inodes[record["ino"]] = folder.durable[name] = inode
        elif op == "base_folder":
            folder, name = self._split(record["path"])
            folder.durable[name] = Folder()
        elif op == "create":
            self._create(record)
        elif op == "write":
            self._inode(record).write(record["off"], record["payload"])
        elif op == "truncate":
            self.inodes[record["ino"]].truncate(record["size"])
        elif op in ("sync_begin", "sync_end", "sync_failed"):
            getattr(self._inode(record), op)(record["id"])
        elif op in ("rename", "link"):
            folder, name = self._split(record["path"])
            to_folder, to = self._split(record["to"])
            what = folder.entries().get(name)
            if op == "rename" and folder is to_folder:
                folder.rename(name, to, what)
            else:
                to_folder.add(to, what)
                if op == "rename":
                    folder.remove(name)
        elif op == "remove":
            folder, name = self._split(record["path"])
            folder.remove(name)
        elif op == "make_folder":
            folder, name = self._split(record["path"])
            folder.add(name, Folder())
        elif op == "mark":
            self.marks.append(record["text"])
        else:
            raise ValueError(f"unknown record {op}")

    def write_out(self, into, rng, folder=None):
        """What the cut leaves, into an empty folder."""
        folder = folder or self.top
        kept = rng.randint(0, len(folder.steps))
        for name, what in folder.entries(folder.steps[:kept]).items():
            path = os.path.join(into, name)
            if isinstance(what, Folder):
                os.mkdir(path)
                self.write_out(path, rng, what)
            elif what is not None:
                with open(path, "wb") as file:
                    file.write(what.after_power_cut(rng))


def seen_by_programs(journal, root):
    """{name: content} of the files right below `root`, as the journal has it; None if a record is torn."""
    disk, size = Disk(root), 0
    try:
        for record in read_journal(journal):
            disk.apply(record)
            size = record["end"]
    except (ValueError, KeyError):  # behind a torn one
        return None
    if size < os.path.getsize(journal):
        return None
    return {name: bytes(what.data) for name, what in disk.top.entries().items() if isinstance(what, Inode)}


def cut(journal, root, into, seed, at=None):
    """Fills `into` (emptied before) with what a power cut after `at` records may leave of `root`.

    at=None: after the last one; what was there before the first is there in any case. Gives the marks made until then. `into` may be `root` itself: then
    remove the journal and start the program again.
    """
    rng = random.Random(seed)
    disk = Disk(root)
    for number, record in enumerate(read_journal(journal)):
        if at is None or number < at or record["op"].startswith("base"):
            disk.apply(record)
    if os.path.isdir(into):
        for name in os.listdir(into):
            path = os.path.join(into, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    else:
        os.makedirs(into)
    disk.write_out(into, rng)
    return disk.marks


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("journal")
    parser.add_argument("root")
    parser.add_argument("into")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--at", type=int, help="after so many records; default: all")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    for mark in cut(arguments.journal, arguments.root, arguments.into, arguments.seed, arguments.at):
        print(f"mark {mark}")


if __name__ == "__main__":
    main()
