"""`pgcourier demo`, the first thing anybody runs: what it prints, where that leads, and what it leaves behind."""
import contextlib
import os
import re
import signal
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import psycopg2

from harness.checker import read_lines, read_topics
from harness.courier import BINARY, surroundings
from harness.program import cases_of, run_cases
from harness.shared import broker
from harness.truth import parse
from harness.waiting import require, wait_for


class Demo:
    """A running demo; `places` is what it printed before the changes, `changes` the lines after that."""

    def __init__(self, *arguments):
        self.lines, self.started = [], time.monotonic()
        self.popen = subprocess.Popen([BINARY, "demo", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, env=surroundings())
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.popen.stdout:
            self.lines.append(line.rstrip("\n"))

    def text(self):
        return "\n".join(self.lines[-40:])

    @property
    def changes(self):
        return [parse(line) for line in list(self.lines) if line.startswith("{")]

    @property
    def places(self):
        found = (re.match(r"-- ([a-zA-Z]+):\s+(?:psql )?'?([^\s']+)'?$", line) for line in list(self.lines))
        return {match[1].lower(): match[2] for match in found if match}

    def wait_changes(self, count=1):
        wait_for(lambda: len(self.changes) >= count or self.popen.poll() is not None, lambda: f"changes:\n{self.text()}", 30)
        require(self.popen.poll() is None, lambda: f"the demo ended early:\n{self.text()}")

    def wait_end(self, timeout):
        code = self.popen.wait(timeout)
        self.reader.join(5)
        require(code == 0, lambda: f"exit {code}:\n{self.text()}")


@contextlib.contextmanager
def demo(*arguments):
    running = Demo(*arguments)
    try:
        yield running
    finally:
        if running.popen.poll() is None:
            running.popen.send_signal(signal.SIGTERM)
            running.popen.wait(30)


def processes_with(text):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if text in (entry / "cmdline").read_bytes().decode(errors="replace"):
                    found.append(int(entry.name))
    return found


def nothing_is_left(places):
    folder = Path(places["settings"]).parent
    require(not folder.exists(), f"{folder} is still there")
    left = processes_with(str(folder))
    require(not left, f"processes {left} still run")


def case_shows_changes_where_it_says_they_are():
    with demo("--for", "10s") as running:
        running.wait_changes(5)
        seconds = time.monotonic() - running.started
        require(seconds < 10, f"the first changes after {seconds:.0f} s")
        places = running.places
        lines = [parse(line) for _, line in read_lines(places["files"], "demo")]
        require(lines and lines[0] == running.changes[0], lambda: f"{lines[:1]} is not {running.changes[0]}")
        metrics = urllib.request.urlopen(places["metrics"], timeout=5).read().decode()
        require("pgcourier_" in metrics, metrics[:200])
        require(urllib.request.urlopen(places["status"], timeout=5).status == 200, "no status page")
        with contextlib.closing(psycopg2.connect(places["postgresql"])) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM orders")
            require(cursor.fetchone()[0] > 0, "the server printed is not the one written to")
        require(Path(places["settings"]).is_file() and Path(places["log"]).is_file(), f"{places}")
        running.wait_end(40)
        require(time.monotonic() - running.started >= 10, "--for was not kept")
    nothing_is_left(places)


def case_ctrl_c_ends_it_and_removes_all():
    with demo() as running:
        running.wait_changes()
        places = running.places
        running.popen.send_signal(signal.SIGINT)
        running.wait_end(30)
    nothing_is_left(places)


def case_writes_to_kafka_too():
    with demo("--for", "8s", "--kafka", broker().bootstrap) as running:
        running.wait_changes()
        running.wait_end(60)
        shown = len(running.changes)
    records, topics = read_topics(broker().bootstrap, "demo")
    require("demo.public.orders" in topics, f"{topics}")
    require(len(records) >= shown > 0, f"{len(records)} records, {shown} changes shown")


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
