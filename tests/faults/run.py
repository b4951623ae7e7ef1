"""One run: faults under load, then the check of what was delivered."""
import signal
import time
import traceback

import process_faults  # noqa: F401
import network_faults  # noqa: F401
import disk_faults  # noqa: F401
from fault import FAULTS, NotHappened
from harness.postgres import ROOT
from harness.progress import confirms_again
from harness.waiting import TestFailure
from harness.workload import Workload
from pipeline import Pipeline
from plan import Plan

TRIES = 3  # of a fault that can't be shown to have happened
HASTY = 0.25  # the share of faults that come before what the one before did is over
NESTED = 0.35  # of those that last, in which another one falls
WITHIN = ("courier-kill", "courier-term", "server-fast", "server-immediate", "server-kill", "source-cut", "source-reset")
CONFIRM_SECONDS = 120  # after which the pipeline is taken for stuck
LOGS = ROOT / "build" / "faults"


class Result:
    """happened: [(name, seconds until something was confirmed again, or None)]; missed: [(name, reason)]; counts: by sink;
    error: what was wrong, or None."""

    def __init__(self, plan):
        self.seed, self.guarantees, self.command = plan.seed, plan.guarantees, plan.command
        self.happened, self.missed, self.counts, self.error, self.seconds = [], [], {}, None, 0.0
        self.nested = 0  # of those that happened, while another one lasted


class Running:
    def __init__(self, plan, pipeline):
        self.plan, self.run, self.result = plan, pipeline, Result(plan)
        self.started = time.monotonic()
        pipeline.meanwhile = self.meanwhile

    def say(self, text):
        print(f"  [{self.plan.seed}] {time.monotonic() - self.started:6.1f} s  {text}", flush=True)

    def confirms(self):
        started = time.monotonic()
        confirms_again(self.run.server, self.run.process, self.run.load, timeout=CONFIRM_SECONDS)
        return time.monotonic() - started

    def once(self, fault):
        """Whether it happened."""
        time.sleep(self.run.rng.uniform(0.0, 0.6))  # the moment is random
        try:
            seen = fault.inject(self.run)
        except NotHappened as reason:
            self.result.missed.append((fault.name, str(reason)))
            self.say(f"{fault.title}: not shown to have happened: {reason}")
            self.confirms()
            return False
        hasty = self.run.rng.random() < HASTY
        seconds = None if hasty else self.confirms()
        self.result.happened.append((fault.name, seconds))
        self.say(f"{fault.title}: {seen}; " + ("and at once:" if hasty else f"confirms again after {seconds:.1f} s"))
        return True

    def meanwhile(self):
        """While a fault lasts."""
        within = [name for name in WITHIN if name in self.plan.names]
        if not within or self.run.rng.random() >= NESTED:
            return
        fault = FAULTS[self.run.rng.choice(within)]
        try:
            seen = fault.inject(self.run)
        except NotHappened as reason:
            self.say(f"meanwhile: {fault.title}: not shown to have happened: {reason}")
            return
        self.result.happened.append((fault.name, None))
        self.result.nested += 1
        self.say(f"meanwhile: {fault.title}: {seen}")

    def faults(self):
        self.confirms()
        for name in self.plan.faults:
            if not any(self.once(FAULTS[name]) for _ in range(TRIES)):
                self.say(f"{FAULTS[name].title}: given up after {TRIES} tries")
        self.confirms()

    def all(self):
        self.say(self.plan)
        self.run.courier.start("slot", "create", "-c", self.run.courier.file).wait_exit(0)
        self.run.start()
        with Workload(self.run.server, self.plan.seed, writers=3, rate=20, large=self.plan.large_rows, bulk=0.01,
                      ddl=0.01) as self.run.load:
            self.faults()
            self.run.load.stop()
        streamed = self.run.server.value("SELECT stream_txns FROM pg_stat_replication_slots WHERE slot_name = 'shop'")
        self.say(f"{streamed} transactions were streamed since the server last crashed")
        self.run.process.terminate()
        self.run.courier.drain()
        self.result.counts = self.run.verify(events=200)
        self.say("delivered: " + "; ".join(f"{sink}: " + ", ".join(f"{number} {name}" for name, number in counts.items())
                                           for sink, counts in self.result.counts.items()))


def keep_logs(run, seed):
    """The logs of all that ran, whole."""
    folder = LOGS / f"run-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    for number, process in enumerate(run.courier.processes):
        (folder / f"pgcourier-{number:02}.log").write_text(process.log(len(process.lines)))
    for path, name in ((run.server.folder / "log", "postgresql.log"), (run.broker.log, "kafka.log")):
        (folder / name).write_bytes(path.read_bytes())
    return folder


def stop(*_):
    """Servers and folders are removed on the way out."""
    raise KeyboardInterrupt


def one_run(seed, only, count, shim):
    """Never raises: what went wrong is in the result."""
    signal.signal(signal.SIGTERM, stop)
    plan = Plan(seed, only, count)
    result, started = Result(plan), time.monotonic()
    try:
        with Pipeline(plan, shim) as pipeline:
            running = Running(plan, pipeline)
            result = running.result
            try:
                running.all()
            except BaseException:
                running.say(f"the logs are in {keep_logs(pipeline, seed)}")
                raise
    except TestFailure as error:
        result.error = str(error)
    except Exception:  # a fault of the suite itself, or of the machine
        result.error = traceback.format_exc()
    result.seconds = time.monotonic() - started
    return result
