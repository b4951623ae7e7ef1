"""The disk of the files sink, through tests/support/power_cut: full, slow, failing, or without power."""
import subprocess
import sys

from .postgres import ROOT

SUPPORT = ROOT / "tests" / "support" / "power_cut"
sys.path.insert(0, str(SUPPORT))

import power_cut  # noqa: E402


def compiled(folder):
    library = folder / "libpower_cut.so"
    subprocess.run(["g++", "-std=c++20", "-O1", "-shared", "-fPIC", f"-I{ROOT}", "-o", library,
                    *sorted(SUPPORT.glob("*.cpp")), "-ldl"], check=True)
    return library


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class FaultyDisk:
    """Below `folder`; its own files are in `aside`. Programs run with `environment` feel it."""

    def __init__(self, folder, aside, shim):
        self.folder, self.journal, self.control = folder, aside / "journal", aside / "disk"
        self.log = aside / "disk.made"
        self.environment = {"LD_PRELOAD": str(shim), "POWER_CUT_ROOT": str(folder), "POWER_CUT_JOURNAL": str(self.journal),
                            "POWER_CUT_CONTROL": str(self.control)}

    def faults(self, **values):
        """faults(ENOSPC_AFTER=0): from now on these, and no others."""
        draft = self.control.with_suffix(".next")
        draft.write_text("".join(f"{name} {value}\n" for name, value in values.items()))
        draft.rename(self.control)

    def made(self, fault):
        """How often the shim has made it."""
        return self.log.read_text().split().count(fault) if self.log.exists() else 0

    def forget(self):
        """What was written so far is taken for durable."""
        self.journal.unlink(missing_ok=True)

    def knows_all(self):
        """REQUIRES: no program runs with it. Whether the journal tells all that the files hold: a program that was killed may
        have died between a write and its record."""
        return power_cut.seen_by_programs(str(self.journal), str(self.folder)) == contents(self.folder)

    def power_cut(self, seed):
        """REQUIRES: no program runs with it. Leaves what the disk would hold; returns the names of files that are not what
        they were."""
        before = contents(self.folder)
        power_cut.cut(str(self.journal), str(self.folder), str(self.folder), seed)
        self.forget()
        after = contents(self.folder)
        return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
