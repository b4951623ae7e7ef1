"""One pgcourier process: its settings file, its log, its exit."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from .data_files import content_of_file, file_names, read_lines
from .postgres import ROOT
from .truth import parse
from .ports import free_port
from .waiting import TestFailure, lsn, require, wait_for

BINARY = os.environ.get("PGCOURIER_BIN", str(ROOT / "build" / "release" / "pgcourier"))


def surroundings():
    """The environment without the tests' own PGCOURIER_ variables, which pgcourier would take for settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PGCOURIER_")}


class Process:
    """A running `pgcourier …`; its log lines are collected as they come."""

    def __init__(self, arguments, stdout=None, env=None, prefix=()):
        self.lines = []  # parsed JSON log lines, or {"msg": text}
        self.started = time.monotonic()
        self.popen = subprocess.Popen([*prefix, BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL,
                                      stdout=stdout if stdout is not None else subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, env=dict(surroundings(), **(env or {})))
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for raw in self.popen.stderr:
            text = raw.decode(errors="replace").rstrip("\n")
            try:
                line = json.loads(text)
                self.lines.append(line if isinstance(line, dict) else {"msg": text})
            except ValueError:
                self.lines.append({"msg": text})

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def peak_mib(self):
        """The most of its memory that was resident since the program began."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    def log(self, last=40):
        return "\n".join("  " + json.dumps(line, ensure_ascii=False) for line in self.lines[-last:])

    def says(self, *words):
        """Whether one log line holds all the words (case does not matter)."""
        return any(all(word.lower() in json.dumps(line, ensure_ascii=False).lower() for word in words)
                   for line in list(self.lines))

    def wait_says(self, *words, timeout=20):
        wait_for(lambda: self.says(*words) or not self.running(), f"the log to say {words}", timeout)
        require(self.says(*words), lambda: f"ended without saying {words}:\n{self.log()}")

    def wait_exit(self, expected=0, timeout=40):
        try:
            code = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TestFailure(f"pgcourier still runs after {timeout} s:\n{self.log()}") from None
        self.reader.join(5)
        require(expected is None or code == expected, f"exit {code} instead of {expected}:\n{self.log()}")
        return code

    def terminate(self, timeout=40, expected=0):
        self.popen.send_signal(signal.SIGTERM)
        return self.wait_exit(expected, timeout)

    def kill(self):
        self.popen.kill()
        self.popen.wait()
        self.reader.join(5)

    def end(self):
        if self.running():
            self.popen.send_signal(signal.SIGCONT)
            self.kill()


class Courier:
    """Settings and folders of one pipeline, which outlive its processes.

    `with Courier(server, sinks=[…]) as courier: process = courier.run()`; all processes are ended at the end."""

    def __init__(self, server, sinks=("files",), name="shop", brokers=None, url=None, http=False, **settings):
        self.server = server
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix="pgcourier-run-"))
        self.files = self.folder / "files"
        self.files.mkdir()
        self.port = free_port() if http else None
        self.processes = []
        self.settings = {
            "name": name,
            "source": {"url": url or server.url(), "publication": "shop", "slot": "shop", "create_slot": True},
            "sinks": [self._sink(sink, brokers) for sink in sinks],
            "http": {"listen": f"127.0.0.1:{self.port}" if http else ""},
            "state_dir": str(self.folder / "state"),
            "log": {"level": "info", "format": "json"},
        }
        (self.folder / "state").mkdir()
        for path, value in settings.items():
            self.set(path.replace("__", "."), value)

    def _sink(self, sink, brokers):
        if sink == "files":
            return {"files": {"directory": str(self.files)}}
        if sink == "kafka":
            # As the kafka sink asks for it: create_topics is the broker's default number of partitions.
            return {"kafka": {"brokers": brokers}}
        return {sink: {}} if isinstance(sink, str) else sink

    def set(self, path, value):
        """set("source.slot", "other"); sinks are reached as "sinks.0.files.rotate"."""
        place = self.settings
        *parents, last = path.split(".")
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
        place[int(last) if isinstance(place, list) else last] = value

    @property
    def file(self):
        path = self.folder / "pgcourier.yaml"
        path.write_text(json.dumps(self.settings, indent=2, ensure_ascii=False))  # JSON is YAML
        return path

    # -- processes ---------------------------------------------------------------------------------------------
    def start(self, *arguments, **more):
        """Any command, e.g. start("check", "-c", courier.file)."""
        process = Process(arguments, **more)
        self.processes.append(process)
        return process

    def run(self, *arguments, **more):
        return self.start("run", "-c", self.file, *arguments, **more)

    def run_streaming(self, *arguments, timeout=20, **more):
        """Runs and returns when the slot is in use by this process."""
        process = self.run(*arguments, **more)
        slot = self.settings["source"]["slot"]
        wait_for(lambda: (self.server.slot(slot) or {}).get("active_pid") or not process.running(),
                 lambda: f"slot {slot} to be taken:\n{process.log()}", timeout)
        require(process.running(), lambda: f"exit {process.popen.returncode}:\n{process.log()}")
        return process

    def drain(self, *arguments, timeout=120):
        """Delivers everything committed so far and ends; the process, whose exit was 0."""
        process = self.run("--until-lsn", "now", *arguments)
        process.wait_exit(0, timeout)
        return process

    def end(self):
        for process in self.processes:
            process.end()

    def remove(self):
        self.end()
        if os.environ.get("PGCOURIER_KEEP"):
            print(f"kept {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            for process in self.processes[-2:]:
                print(f"-- the last log lines of pgcourier {process.pid}:\n{process.log()}")
        self.remove()

    # -- what it wrote -----------------------------------------------------------------------------------------
    def names(self):
        return file_names(self.files, self.name)

    def events(self):
        """All events in the files; a torn last line is left out."""
        return [parse(line) for _, line in read_lines(self.files, self.name) if line.endswith(b"\n")]

    def durable_lsn(self):
        """End of the last whole transaction in the files, as a number; 0 without one. What stands behind a damage, as a
        power cut leaves it, does not count."""
        for path in reversed(self.names()):
            ends = [0]
            for line in content_of_file(path)[0].split(b"\n")[:-1]:
                try:
                    ends.append(lsn(json.loads(line).get("end_lsn", "0/0")))
                except ValueError:
                    break
            if max(ends):
                return max(ends)
        return 0

    def bookmark(self):
        path = self.files / f"{self.name}.bookmark.json"
        return json.loads(path.read_text()) if path.exists() else None

    # -- HTTP --------------------------------------------------------------------------------------------------
    def get(self, path, timeout=5):
        """(status, body text); (0, reason) when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def wait_ready(self, timeout=20):
        wait_for(lambda: self.get("/readyz")[0] == 200, "/readyz to say 200", timeout)

    def metrics(self):
        """{'pgcourier_…{labels}': number}"""
        out = {}
        for line in self.get("/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                series, value = line.rsplit(" ", 1)
                out[series] = float(value)
        return out
