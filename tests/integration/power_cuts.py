"""Simulated power cuts under load: what was not fsynced is dropped, page by page, folder entries included; then
pgcourier repairs the files and goes on. At the end they hold each committed change exactly once. A cut at a moment when all was
synced proves nothing: it goes on until half of the asked number lost something.
`power_cuts.py --cuts 50 --seed N --shim LIBRARY --compression none|gzip|zstd|mixed` (tests/support/power_cut; compiled here
when not given; mixed: another compression after every third cut)."""
import random
import sys
import time
from pathlib import Path

from harness.data_files import COMPRESSIONS
from harness.faulty_disk import FaultyDisk, compiled
from harness.program import arguments
from harness.scenario import Scenario
from harness.waiting import lsn, require
from harness.workload import Workload

ROTATE = {"none": "200KiB", "gzip": "30KiB", "zstd": "30KiB"}  # about as many lines in a file


class Cuts:
    def __init__(self, scene, shim, rng):
        self.scene, self.rng = scene, rng
        self.disk = FaultyDisk(scene.courier.files, scene.courier.folder, shim)
        self.count = dict.fromkeys(("that lost something", "that lost a file or its name", "with unconfirmed data"), 0)

    def once(self):
        """Runs for a random moment, kills it, and leaves of its folder what the disk would hold."""
        courier, server = self.scene.courier, self.scene.server
        process = courier.run_streaming(env=self.disk.environment)
        time.sleep(self.rng.uniform(0.0, 1.0))
        require(process.running(), lambda: f"pgcourier ended by itself:\n{process.log()}")
        process.kill()
        server.wait_free()
        confirmed = lsn(server.slot()["confirmed_flush_lsn"])
        names, durable = {path.name for path in courier.files.iterdir()}, courier.durable_lsn()
        require(self.disk.journal.exists(), "no journal: the shim was not loaded")
        self.count["that lost something"] += bool(self.disk.power_cut(self.rng.randrange(2**32)))
        self.count["that lost a file or its name"] += {path.name for path in courier.files.iterdir()} != names
        self.count["with unconfirmed data"] += durable > confirmed


def main():
    options = arguments(__doc__, cuts=50, shim="", compression="none")
    print(f"{options.cuts} power cuts, compression {options.compression}, seed {options.seed}", flush=True)
    with Scenario() as scene:
        cuts = Cuts(scene, Path(options.shim) if options.shim else compiled(scene.courier.folder),
                    random.Random(options.seed))
        scene.courier.start("slot", "create", "-c", scene.courier.file).wait_exit(0)
        with Workload(scene.server, options.seed, writers=2, rate=30) as load:
            load.wait_commits(20)
            made = 0
            while made < options.cuts or cuts.count["that lost something"] < options.cuts / 2:
                require(made < options.cuts * 3, lambda: f"{made} cuts, and too few lost anything: {cuts.count}")
                kind = COMPRESSIONS[made // 3 % 3] if options.compression == "mixed" else options.compression
                scene.courier.set("sinks.0.files.compression", kind)
                scene.courier.set("sinks.0.files.rotate", {"size": ROTATE[kind]})
                cuts.once()
                load.check()
                made += 1
            load.stop()
        scene.courier.drain()
        counts = scene.verify()["files"]
    print(f"{made} power cuts: " + ", ".join(f"{number} {what}" for what, number in cuts.count.items()) +
          f"; seed {options.seed}; {counts}")


if __name__ == "__main__":
    sys.exit(main())
