#!/usr/bin/env python3
"""The shim catches who forgets an fsync, and only them.   power_cut_test.py SHIM"""

import errno
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import power_cut

SHIM = os.path.abspath(sys.argv.pop(1))

# Writes a file as a careful program does, but for the step named; then says that it is safe.
WRITER = """
import os, sys
forgotten, folder = sys.argv[1], sys.argv[2]
draft, name = folder + "/draft", folder + "/name"
fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
os.write(fd, b"x" * 20000)
if forgotten != "fsync": os.fsync(fd)
os.close(fd)
os.rename(draft, name)
if forgotten != "folder":
    fd = os.open(folder, os.O_RDONLY)
    os.fsync(fd)
try: os.unlink("power_cut:safe")
except FileNotFoundError: sys.exit("no shim")
"""


class PowerCut(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.TemporaryDirectory(prefix="pgcourier-power-cut-")
        self.addCleanup(self.base.cleanup)
        self.root = self.base.name + "/root"
        self.journal = self.base.name + "/journal"
        os.mkdir(self.root)

    def run_python(self, code, *arguments, **environment):
        return subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False,
            env={**os.environ, "LD_PRELOAD": SHIM, "POWER_CUT_ROOT": self.root,
                 "POWER_CUT_JOURNAL": self.journal, **environment})

    def lost(self, forgotten):
        """In how many of 200 cuts a file that was called safe is not there, or not whole."""
        done = self.run_python(WRITER, forgotten, self.root)
        self.assertEqual(done.returncode, 0, done.stderr)
        lost = 0
        for seed in range(200):
            marks = power_cut.cut(self.journal, self.root, self.base.name + "/after", seed)
            self.assertEqual(marks, ["safe"])
            path = self.base.name + "/after/name"
            lost += not os.path.exists(path) or pathlib.Path(path).read_bytes() != b"x" * 20000
        return lost

    def test_loses_nothing_of_a_careful_program(self):
        self.assertEqual(self.lost("nothing"), 0)

    def test_catches_a_forgotten_fsync(self):
        self.assertGreater(self.lost("fsync"), 20)

    def test_catches_a_folder_that_was_not_synced(self):
        self.assertGreater(self.lost("folder"), 20)

    def test_drops_pages_one_by_one_and_keeps_what_was_synced(self):
        self.run_python("""
import os, sys
fd = os.open(sys.argv[1] + "/f", os.O_WRONLY | os.O_CREAT)
os.write(fd, b"a" * 6000); os.fsync(fd)
d = os.open(sys.argv[1], os.O_RDONLY); os.fsync(d)
for _ in range(10): os.write(fd, b"b" * 4000)
""", self.root)
        holes = 0
        for seed in range(200):
            power_cut.cut(self.journal, self.root, self.base.name + "/after", seed)
            content = pathlib.Path(self.base.name + "/after/f").read_bytes()
            self.assertEqual(content[:6000], b"a" * 6000)
            rest = content[6000:]
            holes += b"\0b" in rest
        self.assertGreater(holes, 20)

    def test_takes_what_was_there_for_durable_and_goes_on_with_a_journal(self):
        with open(self.root + "/before", "w") as file:
            file.write("old")
        for _ in range(2):
            self.run_python("import os, sys; os.open(sys.argv[1] + '/x' + str(os.getpid()),"
                            " os.O_WRONLY | os.O_CREAT)", self.root)
        kept = set()
        for seed in range(50):
            power_cut.cut(self.journal, self.root, self.base.name + "/after", seed)
            self.assertEqual(pathlib.Path(self.base.name + "/after/before").read_text(), "old")
            kept.add(len(os.listdir(self.base.name + "/after")))
        self.assertEqual(kept, {1, 2, 3})

    def test_makes_a_disk_full_and_gives_room_again(self):
        done = self.run_python("""
import os, sys
fd = os.open(sys.argv[1] + "/f", os.O_WRONLY | os.O_CREAT)
print(os.write(fd, b"x" * 100))
try: os.write(fd, b"x")
except OSError as error: print(error.errno)
open(sys.argv[2], "w")
print(os.write(fd, b"x"))
""", self.root, self.base.name + "/room", POWER_CUT_ENOSPC_AFTER="60",
                               POWER_CUT_ENOSPC_UNTIL=self.base.name + "/room")
        self.assertEqual(done.stdout.split(), ["60", str(errno.ENOSPC), "1"], done.stderr)

    def test_is_controlled_while_the_program_runs(self):
        control = self.base.name + "/control"
        done = self.run_python("""
import os, sys
fd = os.open(sys.argv[1] + "/f", os.O_WRONLY | os.O_CREAT)
def now(*faults):
    with open(sys.argv[2] + ".next", "w") as file: file.write("\\n".join(faults))
    os.rename(sys.argv[2] + ".next", sys.argv[2])
def errno_of(function, *arguments):
    try: return function(*arguments) and 0
    except OSError as error: return error.errno
print(errno_of(os.write, fd, b"x"))
now("ENOSPC_AFTER 0", "EIO_FSYNC 2")
print(errno_of(os.write, fd, b"x"), errno_of(os.fsync, fd), errno_of(os.fsync, fd))
now("EIO_WRITE 1", "FSYNC_MS 1")
print(errno_of(os.write, fd, b"x"), errno_of(os.write, fd, b"x"), errno_of(os.fsync, fd))
""", self.root, control, POWER_CUT_CONTROL=control)
        self.assertEqual(done.stdout.split(), ["0", str(errno.ENOSPC), "None", str(errno.EIO), str(errno.EIO), "0", "None"],
                         done.stderr)
        self.assertEqual(pathlib.Path(control + ".made").read_text().split(), ["ENOSPC", "EIO_FSYNC", "EIO_WRITE", "FSYNC_MS"])

    def test_loses_the_pages_of_a_failed_fsync_even_if_the_next_succeeds(self):
        done = self.run_python("""
import os, sys
fd = os.open(sys.argv[1] + "/f", os.O_WRONLY | os.O_CREAT)
os.write(fd, b"x" * 5000)
try: os.fsync(fd)
except OSError as error: print(error.errno)
os.fsync(fd)
d = os.open(sys.argv[1], os.O_RDONLY); os.fsync(d)
""", self.root, POWER_CUT_EIO_FSYNC="1")
        self.assertEqual(done.stdout.split(), [str(errno.EIO)], done.stderr)
        power_cut.cut(self.journal, self.root, self.base.name + "/after", 1)
        self.assertEqual(pathlib.Path(self.base.name + "/after/f").read_bytes().strip(b"\0"), b"")


if __name__ == "__main__":
    unittest.main()
