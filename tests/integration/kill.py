"""kill -9 of pgcourier at random moments under load: files hold each committed change exactly once, Kafka at least
once and in order. `kill.py --sink files|kafka --kills 50 --seed N --compression none|gzip|zstd|mixed` (mixed: another one
after every third kill)."""
import random
import sys
import time

from harness.data_files import COMPRESSIONS, content_of_file
from harness.program import arguments
from harness.scenario import Scenario
from harness.waiting import TestFailure, lsn, require
from harness.workload import Workload


# rotate.size: about as many lines in a file.
ROTATE = {"none": "48KiB", "gzip": "8KiB", "zstd": "8KiB"}


def tail_is_torn(path):
    """Whether the file ends within a transaction, a line or a member."""
    data, whole = content_of_file(path)
    last = data[data.rfind(b"\n", 0, -1) + 1:]
    return not whole or bool(data) and not (last.endswith(b"\n") and (b'"last":true' in last[-200:] or b'"xid"' not in last))


def state_of(courier, finished):
    """(cut tail, in rotation): what a kill at this moment would find. finished: how many files were when it started."""
    names = courier.names()
    opened = [path for path in names if path.name.endswith(".open")]
    try:
        if not opened:
            return False, len(names) > finished  # renamed, and the next one not there yet
        torn = tail_is_torn(opened[-1])
        rotate = courier.settings["sinks"][0]["files"]["rotate"]["size"]
        return torn, not torn and opened[-1].stat().st_size >= int(rotate.removesuffix("KiB")) * 1024
    except OSError:  # renamed just now
        return False, True


def use_compression(courier, compression, cycle):
    compression = COMPRESSIONS[cycle // 3 % 3] if compression == "mixed" else compression
    courier.set("sinks.0.files.compression", compression)
    courier.set("sinks.0.files.rotate", {"size": ROTATE[compression]})


class Moment:
    """What was there when the process was gone."""

    def __init__(self, scene, finished):
        self.cut_tail, self.in_rotation = state_of(scene.courier, finished)
        self.confirmed = lsn(scene.server.slot()["confirmed_flush_lsn"])
        self.durable = scene.courier.durable_lsn()


def wait_for_progress(scene, process):
    """Until this run has confirmed something (or 10 s have passed: then the kill is early, and counted so)."""
    before, deadline = scene.server.slot()["confirmed_flush_lsn"], time.monotonic() + 10
    while scene.server.slot()["confirmed_flush_lsn"] == before and process.running() and time.monotonic() < deadline:
        time.sleep(0.01)


def kill_once(scene, load, rng, aim):
    """aim: None, "progress", or the state of the files to wait for, up to a second: 0 a torn tail, 1 rotation."""
    courier = scene.courier
    finished = sum(not path.name.endswith(".open") for path in courier.names())
    process = courier.run()
    if aim is not None:
        wait_for_progress(scene, process)
    time.sleep(rng.uniform(0.0, 0.7))
    deadline = time.monotonic() + 1
    while aim in (0, 1) and not state_of(courier, finished)[aim] and time.monotonic() < deadline:
        pass
    require(process.running(), lambda: f"pgcourier ended by itself:\n{process.log()}")
    process.kill()
    committed = load.last_lsn
    scene.server.wait_free()
    return committed, Moment(scene, finished)


def main():
    options = arguments(__doc__, sink="files", kills=50, compression="none")
    print(f"kill -9 at {options.kills} random moments, sink {options.sink}, compression {options.compression}, seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    files = options.sink == "files"
    count = dict.fromkeys(("progress", "unconfirmed", "cut_tail", "in_rotation", "durable_unconfirmed"), 0)
    confirmed = 0
    # A quarter at any moment from the start on, the rest once the run has got somewhere.
    aims = (None, 0, 0, 1) if files else (None, "progress", "progress", "progress")
    with Scenario(sinks=(options.sink,)) as scene:
        scene.courier.start("slot", "create", "-c", scene.courier.file).wait_exit(0)
        with Workload(scene.server, options.seed, writers=3, rate=40, bulk=0.06 if files else 0.02) as load:
            load.wait_commits(20)
            for cycle in range(options.kills):
                if files:
                    use_compression(scene.courier, options.compression, cycle)
                committed, moment = kill_once(scene, load, rng, aims[cycle % len(aims)])
                count["progress"] += moment.confirmed > confirmed
                confirmed = moment.confirmed
                count["unconfirmed"] += moment.confirmed < committed
                count["cut_tail"] += moment.cut_tail
                count["in_rotation"] += moment.in_rotation
                count["durable_unconfirmed"] += moment.durable > moment.confirmed
                load.check()
            load.stop()
        scene.courier.drain()
        counts = scene.verify()[options.sink]
    print(f"{options.kills} kills: {count['unconfirmed']} with unconfirmed events, {count['cut_tail']} with a cut tail, "
          f"{count['in_rotation']} in rotation, {count['durable_unconfirmed']} between durable and confirmed; "
          f"{count['progress']} runs had confirmed something; seed {options.seed}; {counts}")
    wanted = {"unconfirmed": 0.8, "progress": 0.5}
    if files:
        wanted.update(cut_tail=0.2, in_rotation=0.1, durable_unconfirmed=0.1)
    short = {name: count[name] for name, share in wanted.items() if count[name] < share * options.kills}
    if short:
        raise TestFailure(f"too few of the moments that matter: {short}")


if __name__ == "__main__":
    sys.exit(main())
