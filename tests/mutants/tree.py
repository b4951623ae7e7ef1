"""A copy of the sources with build folders of its own, in which mutants are built and their tests are run."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys

from mutant import ROOT

PLACE = ROOT / "build" / "mutants"
LINKED = ("venv", "kafka-3.9.1", "postgres", "postgres_clients")  # of build/: what the integration tests need
SANITIZED, RELEASE = "dev", "release"
TEST_SECONDS = 600


class Unshown(Exception):
    """Neither passed nor failed as a test does: a build that broke, a crash, nothing that ran."""


def files_of(top):
    """The sources below it, relative."""
    for folder, folders, files in os.walk(top):
        folders[:] = [each for each in folders if each not in (".git", "build", "__pycache__")]
        yield from (os.path.relpath(os.path.join(folder, file), top) for file in files if file != ".git")


def last_lines(text, count=25):
    return "\n".join("    " + line for line in text.splitlines()[-count:])


class Tree:
    def __init__(self):
        self.root = PLACE / "tree"
        self.result = PLACE / "result.json"
        self.log = PLACE / "last.log"
        self.environment = dict(os.environ, CCACHE_BASEDIR=str(self.root), CCACHE_NOHASHDIR="1",
                                CCACHE_SLOPPINESS="pch_defines,time_macros")

    def copy(self):
        """As the sources are now, committed or not; what is the same keeps its time, so that little is built again."""
        names = set(files_of(ROOT))
        for name in names:
            source, target = ROOT / name, self.root / name
            if target.exists() and target.read_bytes() == source.read_bytes():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        for name in set(files_of(self.root)) - names:
            (self.root / name).unlink()
        (self.root / "build").mkdir(parents=True, exist_ok=True)
        for name in LINKED:
            link = self.root / "build" / name
            if (ROOT / "build" / name).exists() and not link.exists():
                link.symlink_to((ROOT / "build" / name).resolve())

    def configure(self, preset):
        self.call("cmake", "--preset", preset)

    def build(self, test):
        if test.kind == "integration":
            self.make(RELEASE, "pgcourier")
        elif test.kind == "power_cuts":
            self.make(SANITIZED, "file_power_cut_program", "power_cut")
        else:
            self.make(SANITIZED, test.program)

    def make(self, preset, *targets):
        if not (self.root / "build" / preset / "build.ninja").exists():
            self.configure(preset)
        self.call("ninja", "-C", f"build/{preset}", *targets)

    def call(self, *command):
        done = subprocess.run(command, cwd=self.root, env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise Unshown(f"{' '.join(command)} failed:\n{last_lines(done.stdout)}")

    def passes(self, test):
        """Whether the test held. Unshown unless it ran, and ended by what it asserts."""
        run = {"unit": self.run_gtest, "broker": self.run_gtest, "integration": self.run_integration,
               "power_cuts": self.run_power_cuts}
        return run[test.kind](test)

    def run_gtest(self, test):
        self.result.unlink(missing_ok=True)
        program = self.find_program(test.program)
        arguments = [program, f"--gtest_filter={test.arguments[0]}", f"--gtest_output=json:{self.result}"]
        if test.kind == "broker":
            arguments.insert(0, self.root / "tests" / "integration" / "kafka_sink" / "run.py")
        code, output = self.run(arguments, test)
        if not self.result.exists():
            raise Unshown(f"it crashed, exit {code}:\n{last_lines(output)}")
        report = json.loads(self.result.read_text())
        ran = [case for suite in report["testsuites"] for case in suite["testsuite"] if case["result"] == "COMPLETED"]
        if len(ran) != 1:
            raise Unshown(f"{len(ran)} tests ran:\n{last_lines(output)}")
        failures = [each["failure"] for each in ran[0].get("failures", [])]
        if failures and all("C++ exception" in each for each in failures):
            raise Unshown(f"an exception, and no assertion before it:\n{last_lines(output)}")
        if (code == 0) != (not failures):
            raise Unshown(f"exit {code} with {len(failures)} failures:\n{last_lines(output)}")
        return not failures

    def find_program(self, name):
        found = [path for path in (self.root / "build" / SANITIZED / "tests").rglob(name) if path.is_file()]
        if len(found) != 1:
            raise Unshown(f"{len(found)} programs are named {name}")
        return found[0]

    def run_integration(self, test):
        program = self.root / "tests" / "integration" / test.program
        code, output = self.run([self.root / "build" / "venv" / "bin" / "python", program, *test.arguments], test)
        judged = re.findall(rf"^(ok|FAIL) +{test.arguments[0]} ", output, re.MULTILINE)
        if len(judged) != 1:
            raise Unshown(f"exit {code}, {len(judged)} cases ran:\n{last_lines(output)}")
        if "Traceback" in output:
            raise Unshown(f"the test itself broke:\n{last_lines(output)}")
        return judged == ["ok"] and code == 0

    def run_power_cuts(self, test):
        folder = self.root / "build" / SANITIZED / "tests"
        shim = next(folder.rglob("libpower_cut.so"), None)
        code, output = self.run([sys.executable, self.root / "tests" / "sinks" / test.program,
                                 self.find_program("file_power_cut_program"), str(shim), *test.arguments], test)
        if "Traceback" in output:
            raise Unshown(f"the test itself broke:\n{last_lines(output)}")
        return code == 0

    def run(self, command, test):
        """(exit code, output). Its whole process group is ended when it takes too long."""
        process = subprocess.Popen([str(each) for each in command], cwd=self.root, stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.STDOUT, env=dict(self.environment, **dict(test.environment)),
                                   start_new_session=True, errors="replace")
        try:
            output, _ = process.communicate(timeout=TEST_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            output, _ = process.communicate()
            raise Unshown(f"still running after {TEST_SECONDS} s:\n{last_lines(output)}") from None
        finally:
            self.log.write_text("" if process.returncode is None else output)
        return process.returncode, output
