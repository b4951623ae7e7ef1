#!/usr/bin/env python3
"""Power cuts in the file sink: whatever it said its bookmark covers is in the files afterwards, each
unit exactly once and whole, and nothing else.

file_power_cuts.py PROGRAM SHIM [--rounds N] [--seed N] [--compression none|gzip|zstd]
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support", "power_cut"))
import power_cut  # noqa: E402

COMPRESSIONS = ("none", "gzip", "zstd")


def lsn(value):
    return f"{value >> 32:X}/{value & 0xFFFFFFFF:X}"


def lines_of(number):
    """As file_power_cut_program.cpp writes them: how each begins and ends is enough to know it."""
    commit = number * 0x100
    if number % 17 == 0:
        return [(lsn(commit), None, None)]
    rows = 1 + number * 7919 % 13
    return [(lsn(commit), seq, lsn(commit + 0x80) if seq + 1 == rows else None) for seq in range(rows)]


def read_lines(folder):
    lines = []
    for name in sorted(os.listdir(folder)):
        if ".jsonl" not in name:
            continue
        for line in content_of(os.path.join(folder, name)).splitlines():
            event = event_of(line, name)
            lines.append((event["commit_lsn"], event.get("seq"), event.get("end_lsn")))
    return lines


def event_of(line, name):
    try:
        return json.loads(line)
    except ValueError:
        raise SystemExit(f"{name}: a line is torn: {line[:60]!r}…") from None


def content_of(path):
    """As gzip and zstd read it."""
    tool = "gzip" if ".jsonl.gz" in path else "zstd" if ".jsonl.zst" in path else "cat"
    with open(path, "rb") as file:
        done = subprocess.run([tool] + ["-dc"] * (tool != "cat"), stdin=file, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{tool} can't read {os.path.basename(path)}")
    return done.stdout


def run(program, folder, transactions, seed, compression="none", **environment):
    done = subprocess.run([program, folder, str(transactions), str(seed), compression], capture_output=True, text=True,
                          timeout=300, env={**os.environ, "ASAN_OPTIONS": "verify_asan_link_order=0",
                                            **environment})
    if done.returncode != 0:
        raise SystemExit(f"the sink did not come back:\n{done.stderr}")
    return int(done.stdout)


def run_and_cut(program, shim, rng, base, transactions, compression):
    """What the sink had told by then, and which cut it was."""
    folder, journal = os.path.join(base, "files"), os.path.join(base, "journal")
    run(program, folder, transactions, rng.randrange(2**31), compression, LD_PRELOAD=shim, POWER_CUT_ROOT=folder,
        POWER_CUT_JOURNAL=journal)
    at, seed = rng.randint(0, len(power_cut.read_journal(journal))), rng.randrange(2**32)
    marks = power_cut.cut(journal, folder, folder, seed, at)
    os.remove(journal)
    return [int(text) for text in marks], f"record {at}, cut {seed}, {compression}"


def one_life(program, shim, rng, base, compression):
    """Runs, cuts at a random record, recovers; several times on the same folder. Now and then the compression changes, and
    now and then the power fails while it recovers."""
    folder = os.path.join(base, "files")
    os.mkdir(folder)
    told, torn = 1, 0
    for _ in range(4):
        if rng.random() < 0.2:
            compression = rng.choice(COMPRESSIONS)
        marks, what = run_and_cut(program, shim, rng, base, rng.randint(1, 150), compression)
        told = max([told, *marks])
        if rng.random() < 0.3:
            marks, again = run_and_cut(program, shim, rng, base, 0, compression)
            told, what = max([told, *marks]), f"{what}; recovering: {again}"
        sizes = {n: os.path.getsize(os.path.join(folder, n)) for n in os.listdir(folder)}
        position = run(program, folder, 0, 1, compression)
        if position < told and told > 1:
            raise SystemExit(f"told {lsn(told)}, recovered {lsn(position)} ({what})")
        torn += any(n not in os.listdir(folder) or os.path.getsize(os.path.join(folder, n)) != size
                    for n, size in sizes.items() if n.endswith(".open"))
        check_files(folder, position, what)
        told = max(told, position)
    return torn


def check_files(folder, position, what):
    wanted = [line for number in range(1, position // 0x100 + 1) for line in lines_of(number)]
    found = read_lines(folder)
    if found != wanted:
        raise SystemExit(f"{what}: {len(found)} lines, wanted {len(wanted)}")


def full_disk(program, shim, base, compression):
    """Waits for room, in the middle of a line or member, and loses nothing."""
    folder, room = os.path.join(base, f"full_{compression}"), os.path.join(base, f"room_{compression}")
    os.mkdir(folder)
    giver = threading.Timer(2.0, lambda: open(room, "w").close())
    giver.start()
    begin = time.monotonic()
    run(program, folder, 60, 1, compression, LD_PRELOAD=shim, POWER_CUT_ROOT=folder, POWER_CUT_ENOSPC_AFTER="150001",
        POWER_CUT_ENOSPC_UNTIL=room)
    giver.join()
    if time.monotonic() - begin < 1.5:
        raise SystemExit("a full disk: the sink did not wait")
    position = run(program, folder, 0, 1, compression)
    if position < 60 * 0x100:
        raise SystemExit(f"a full disk: recovered {lsn(position)} only")
    check_files(folder, position, "a full disk")


def failed_syncs(program, shim, base, rng):
    """Ends, and the disk's state then, without the pages of the failed sync, holds all it had told."""
    for number in range(1, 25):
        folder, journal = os.path.join(base, f"sync{number}"), os.path.join(base, "journal")
        os.mkdir(folder)
        try:
            run(program, folder, 120, number, COMPRESSIONS[number % 3], LD_PRELOAD=shim, POWER_CUT_ROOT=folder,
                POWER_CUT_JOURNAL=journal, POWER_CUT_EIO_FSYNC=str(number))
        except SystemExit:
            pass
        else:
            raise SystemExit(f"failed sync {number}: nobody noticed")
        marks = power_cut.cut(journal, folder, folder, rng.randrange(2**32))
        os.remove(journal)
        position = run(program, folder, 0, 1, COMPRESSIONS[number % 3])
        if position < max([1] + [int(text) for text in marks]):
            raise SystemExit(f"failed sync {number}: recovered {lsn(position)}, told {lsn(int(marks[-1]))}")
        check_files(folder, position, f"failed sync {number}")


def killed_before_the_sync(program, shim, base, rng):
    """What a killed one had written is in the files still: it counts only when recovery has synced it."""
    for number in range(1, 13):
        kind = COMPRESSIONS[number % 3]
        folder, journal = os.path.join(base, f"killed{number}"), os.path.join(base, "journal")
        os.mkdir(folder)
        enough = rng.choice((1, 3_000, 60_000))
        watched = {"LD_PRELOAD": shim, "POWER_CUT_ROOT": folder, "POWER_CUT_JOURNAL": journal}
        with subprocess.Popen([program, folder, "120", str(number), kind], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env={**os.environ, "ASAN_OPTIONS": "verify_asan_link_order=0", **watched,
                                   "POWER_CUT_FSYNC_MS": "50"}) as process:
            while process.poll() is None and open_size(folder) < enough:
                time.sleep(0.001)
            process.kill()
        if power_cut.seen_by_programs(journal, folder) == contents(folder):  # not killed between a write and its record
            run(program, folder, 0, 1, kind, **watched)
            marks = power_cut.cut(journal, folder, folder, rng.randrange(2**32))
            position = run(program, folder, 0, 1, kind)
            if position < max(int(text) for text in marks):
                raise SystemExit(f"killed {number}: recovered {lsn(position)}, told {lsn(int(marks[-1]))}")
            check_files(folder, position, f"killed {number}")
        os.remove(journal)


def contents(folder):
    return {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}


def open_size(folder):
    size = 0
    for path in pathlib.Path(folder).glob("*.open"):
        with contextlib.suppress(FileNotFoundError):  # it has its final name
            size += path.stat().st_size
    return size


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("shim")
    parser.add_argument("--rounds", type=int, default=5, help="of each compression")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--compression", choices=COMPRESSIONS)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    rng = random.Random(arguments.seed)
    shim = os.path.abspath(arguments.shim)
    with tempfile.TemporaryDirectory(prefix="pgcourier-power-cut-") as base:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for done in [pool.submit(full_disk, arguments.program, shim, base, kind) for kind in COMPRESSIONS]:
                done.result()
        failed_syncs(arguments.program, shim, base, rng)
        killed_before_the_sync(arguments.program, shim, base, rng)
    print("a full disk was waited for; failed syncs and kills lost nothing that was told")
    torn_at_all = 0
    for kind in (arguments.compression,) if arguments.compression else COMPRESSIONS:
        torn = 0
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory(prefix="pgcourier-power-cut-") as base:
                torn += one_life(arguments.program, shim, rng, base, kind)
        print(f"{kind}: {4 * arguments.rounds} power cuts, {torn} with a torn file, nothing lost, nothing twice")
        torn_at_all += torn
    if torn_at_all == 0:
        raise SystemExit("no cut tore a file: this showed nothing")


if __name__ == "__main__":
    main()
