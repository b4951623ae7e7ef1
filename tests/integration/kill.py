"""kill -9 of pgcourier at random moments under load: files hold each committed change exactly once, Kafka at least
once and in order. `kill.py --sink files|kafka --kills 50 --seed N`."""
import random
import sys
import time

from harness.program import arguments
from harness.scenario import Scenario
from harness.waiting import TestFailure, lsn, require
from harness.workload import Workload


ROTATE = 48 * 1024


class Moment:
    """What the files were like when the process was gone."""

    def __init__(self, scene, names_before):
        courier = scene.courier
        names = courier.names()
        opened = [path for path in names if path.name.endswith(".open")]
        self.cut_tail = self.in_rotation = False
        if opened:
            data = opened[-1].read_bytes()
            lines = data.splitlines(keepends=True)
            whole = bool(lines) and lines[-1].endswith(b"\n") and (
                b'"last":true' in lines[-1] or b'"xid"' not in lines[-1])
            self.cut_tail = bool(lines) and not whole
            self.in_rotation = whole and len(data) >= ROTATE
        elif len(names) > names_before:
            self.in_rotation = True  # renamed, and the next one not there yet
        self.confirmed = lsn(scene.server.slot()["confirmed_flush_lsn"])
        self.durable = courier.durable_lsn()


def rotating(courier, finished):
    """Whether a rotation is under way just now."""
    names = courier.names()
    opened = [path for path in names if path.name.endswith(".open")]
    try:
        return (not opened and len(names) > finished) or (opened and opened[-1].stat().st_size >= ROTATE)
    except OSError:
        return True


def kill_once(scene, load, rng, aimed):
    courier = scene.courier
    finished = sum(not path.name.endswith(".open") for path in courier.names())
    early = rng.random() < 0.1  # while it starts, repairs, reads bookmarks
    process = courier.run()
    if not early:
        process.wait_says("streaming")  # a Kafka sink needs two seconds to get there
    time.sleep(rng.uniform(0.0, 0.3 if early else 1.2))
    deadline = time.monotonic() + 0.7
    while aimed and not rotating(courier, finished) and time.monotonic() < deadline:
        pass
    require(process.running(), lambda: f"pgcourier ended by itself:\n{process.log()}")
    process.kill()
    committed = load.last_lsn
    scene.server.wait_free()
    return committed, Moment(scene, finished)


def main():
    options = arguments(__doc__, sink="files", kills=50)
    print(f"kill -9 at {options.kills} random moments, sink {options.sink}, seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    files = options.sink == "files"
    settings = {"sinks__0__files__rotate": {"size": f"{ROTATE // 1024}KiB"}} if files else {}
    count = dict.fromkeys(("progress", "unconfirmed", "cut_tail", "in_rotation", "durable_unconfirmed"), 0)
    confirmed = 0
    with Scenario(sinks=(options.sink,), **settings) as scene:
        scene.courier.start("slot", "create", "-c", scene.courier.file).wait_exit(0)
        with Workload(scene.server, options.seed, writers=3, rate=40, bulk=0.12 if files else 0.03) as load:
            load.wait_commits(20)
            for cycle in range(options.kills):
                committed, moment = kill_once(scene, load, rng, aimed=files and cycle % 4 == 3)
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
