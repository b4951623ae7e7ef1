"""Faults at random moments while a workload writes: of pgcourier, PostgreSQL, the broker, the network between them and the
disk. After each run what files and topics hold is compared with what the database committed.

A run is one server, one broker and one pipeline, and each fault once in an order drawn from its seed; even seeds deliver to
Kafka at least once, odd ones exactly once, most of them into files too. `./dev faults --runs 2 --seed 7` is the runs of the
seeds 7 and 8."""
import argparse
import concurrent.futures
import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from fault import FAULTS  # noqa: E402
from harness.courier import BINARY  # noqa: E402
from harness.faulty_disk import compiled  # noqa: E402
from matrix import Matrix  # noqa: E402
from run import LOGS, one_run  # noqa: E402


ENOUGH_FAILED = 10  # runs: no more are begun


def arguments():
    parser = argparse.ArgumentParser(prog="./dev faults", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=0, help="how many (2, without --each)")
    parser.add_argument("--each", type=int, default=0, help="go on until each cell of the matrix has so many")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 10**6), help="of the first run")
    parser.add_argument("--only", default="", help="these faults, with commas: " + " ".join(FAULTS))
    parser.add_argument("--faults", type=int, default=0, help="a run (each of them once)")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no run after so many")
    parser.add_argument("--report", type=Path, help="write the matrix there, as Markdown")
    options = parser.parse_args()
    options.only = [name for name in options.only.split(",") if name]
    unknown = [name for name in options.only if name not in FAULTS]
    if unknown:
        parser.error(f"no fault {unknown[0]}; there are {' '.join(FAULTS)}")
    if not os.access(BINARY, os.X_OK):
        parser.error(f"no pgcourier at {BINARY}: ./dev build makes it, PGCOURIER_BIN names another")
    return options


class Suite:
    def __init__(self, options):
        self.options, self.matrix, self.begun = options, Matrix(), 0
        self.names = [name for name in FAULTS if not options.only or name in options.only]
        self.started = time.monotonic()

    def goes_on(self):
        """Whether one more run is to begin."""
        options = self.options
        if time.monotonic() - self.started > options.seconds:
            return False
        if options.runs and self.begun >= options.runs or len(self.matrix.failed) >= ENOUGH_FAILED:
            return False
        return bool(self.matrix.missing(options.each, self.names)) if options.each else self.begun < (options.runs or 2)

    def next_run(self):
        """Arguments of one_run. Once most cells are full, the rest is what is wanted."""
        options, seed = self.options, self.options.seed + self.begun
        lagging = {name for name, _ in self.matrix.missing(options.each, self.names)}
        self.begun += 1
        if lagging and len(lagging) < len(self.names) / 2:
            return seed, [name for name in self.names if name in lagging], options.faults or len(self.names)
        return seed, options.only, options.faults

    def ended(self, result):
        self.matrix.add(result)
        if result.error:
            print(f"FAIL  run {result.seed} ({result.seconds:.0f} s): {result.error}\n"
                  f"      again: {result.command}", flush=True)
        else:
            print(f"ok    run {result.seed} ({result.seconds:.0f} s): {len(result.happened)} faults; "
                  f"{self.matrix.faults} so far", flush=True)
        if self.options.report:
            self.options.report.write_text(self.matrix.markdown(self.names, self.head()))

    def head(self):
        matrix, minutes = self.matrix, (time.monotonic() - self.started) / 60
        return (f"`./dev faults {' '.join(sys.argv[1:])}`, seed {self.options.seed}: {matrix.faults} faults, "
                f"{matrix.nested} of them while another one lasted, in {matrix.right} runs and {minutes:.0f} minutes; "
                f"{len(matrix.failed)} runs failed.")

    def run_all(self):
        LOGS.mkdir(parents=True, exist_ok=True)
        shim, options = compiled(LOGS), self.options
        # A process a run: its threads have a processor's time to themselves.
        with concurrent.futures.ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
            signal.signal(signal.SIGTERM, self.stop)
            running = set()
            while running or self.goes_on():
                while len(running) < options.jobs and self.goes_on():
                    running.add(pool.submit(one_run, *self.next_run(), shim))
                done, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    self.ended(future.result())

    def stop(self, *_):
        """The runs clean up behind them; none is begun any more."""
        self.options.seconds = 0
        for process in multiprocessing.active_children():
            process.terminate()

    def verdict(self):
        """Prints the matrix; the exit code."""
        matrix, wanted = self.matrix, self.options.each
        print(f"\n{matrix.text(self.names)}\n")
        never = [name for name in matrix.missed if not any(name == happened for happened, _ in matrix.counts)]
        for name in never:
            print(f"FAIL  {FAULTS[name].title}: could not be shown to have happened in {matrix.missed[name]} tries")
        short = matrix.missing(wanted, self.names)
        if short:
            print(f"FAIL  fewer than {wanted}: " + ", ".join(f"{name} with {guarantee}" for name, guarantee in short))
        for result in matrix.failed:
            print(f"FAIL  run {result.seed}: {result.command}")
        failed = len(matrix.failed) + len(never) + len(short)
        print(f"{matrix.faults} passed, {failed} failed; seed {self.options.seed}, {time.monotonic() - self.started:.0f} s")
        return 0 if matrix.faults and not failed else 1


def main():
    suite = Suite(arguments())
    suite.run_all()
    return suite.verdict()


if __name__ == "__main__":
    sys.exit(main())
