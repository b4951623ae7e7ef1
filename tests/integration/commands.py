"""The commands around `run`, as a person calls them; and what packaging/ promises of the binary."""
import json
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from harness.courier import BINARY, surroundings
from harness.postgres import ROOT
from harness.program import cases_of, run_cases
from harness.shared import courier, insert, server
from harness.waiting import require

PACKAGING = ROOT / "packaging"


def call(*arguments, code=0, env=None):
    """Its standard output."""
    done = subprocess.run([BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=dict(surroundings(), **(env or {})), timeout=60, check=False)
    require(done.returncode == code, f"{arguments}: exit {done.returncode} instead of {code}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def case_version():
    require(re.fullmatch(r"pgcourier \d+\.\d+\.\d+\n", call("version")), call("version"))


def case_slot_create_list_drop():
    with courier() as pipeline:
        slot = pipeline.settings["source"]["slot"]
        said = call("slot", "create", "-c", pipeline.file)
        require(re.search(rf"slot {slot} created at [0-9A-F]+/[0-9A-F]+", said), said)
        require("exists already" in call("slot", "create", "-c", pipeline.file, code=78), "made twice")
        row = next(line.split() for line in call("slot", "list", "-c", pipeline.file).splitlines() if line.startswith(slot))
        told = server().slot(slot)
        require(row[1:3] == ["pgoutput", "shop"] and row[3] == "no" and row[4] == told["confirmed_flush_lsn"], f"{row} {told}")
        process = pipeline.run_streaming()
        require("is active" in call("slot", "drop", "-c", pipeline.file, code=75), "dropped while it is in use")
        process.terminate()
        require(f"slot {slot} dropped" in call("slot", "drop", "-c", pipeline.file), "")
        require(server().slot(slot) is None, "the slot is still there")
        require(slot in call("slot", "drop", "-c", pipeline.file, code=78), "a missing slot is not told")


def case_status():
    with courier(http=True) as pipeline:
        url = f"http://127.0.0.1:{pipeline.port}"
        require("is pgcourier running" in call("status", "--url", url, code=69), "nothing there is not told")
        process = pipeline.run_streaming()
        insert(3)
        slot = pipeline.settings["source"]["slot"]
        server().wait_confirmed(server().value("SELECT pg_current_wal_insert_lsn()::text"), slot)
        status = json.loads(call("status", "--url", url))
        require(status["state"] == "streaming" and status["name"] == pipeline.name, f"{status}")
        require(json.dumps(status).find(slot) > 0, f"no slot in {status}")
        process.terminate()


def case_status_of_a_silent_server_ends():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        require("no status" in call("status", "--url", f"http://127.0.0.1:{silent.getsockname()[1]}", code=69), "")


def case_config():
    with courier() as pipeline:
        pipeline.set("source.url", server().url() + "?password=quite%20secret")
        require("are fine" in call("config", "check", "-c", pipeline.file), "")
        shown = call("config", "show", "-c", pipeline.file, "--set", "log.level=debug",
                     env={"PGCOURIER_SHUTDOWN_TIMEOUT": "7s"})
        require("secret" not in shown, f"the password is shown:\n{shown}")
        require("debug" in shown and re.search(r"shutdown_timeout: 7s", shown), shown)
        schema = json.loads(call("config", "schema"))
        require(schema["properties"]["source"]["properties"]["slot"], "no slot in the schema")
        pipeline.set("source.solt", "typo")
        require("slot" in call("config", "check", "-c", pipeline.file, code=78), "the nearest key is not told")


def case_the_packaged_settings_are_fine():
    require("are fine" in call("config", "check", "-c", PACKAGING / "pgcourier.yaml"), "")


def case_the_unit_is_sound():
    """systemd-analyze wants the binary where the unit says: here a copy that says where it is."""
    if not shutil.which("systemd-analyze"):
        raise AssertionError("no systemd-analyze: scripts/install_packages tests installs it")
    with tempfile.TemporaryDirectory(prefix="pgcourier-unit-") as folder:
        unit = Path(folder) / "pgcourier.service"
        text = (PACKAGING / "pgcourier.service").read_text()
        require("/usr/bin/pgcourier" in text, "the unit starts something else")
        unit.write_text(text.replace("/usr/bin/pgcourier", BINARY))
        done = subprocess.run(["systemd-analyze", "verify", str(unit)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60, check=False)
        ours = [line for line in done.stdout.splitlines() if "pgcourier.service" in line]
        require(not ours, "\n".join(ours))


def case_the_image_has_every_library():
    """What the binary needs at run time is what the Dockerfile installs, or libc's and the compiler's own."""
    installed = set(re.search(r"FROM debian:12-slim\nRUN.*?install -y --no-install-recommends (.*?) &&",
                              (PACKAGING / "Dockerfile").read_text(), re.S)[1].replace("\\", " ").split())
    base = {"libc6", "libstdc++6", "libgcc-s1"}  # libstdc++6 comes with those that need it
    needed = set()
    for line in subprocess.run(["ldd", BINARY], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines():
        match = re.match(r"\s*(\S+) => (/\S+)", line)
        if match and match[1] in direct_libraries():
            needed.add(package_of(match[2]))
    require(needed - base <= installed, f"not in the image: {needed - base - installed}")


def direct_libraries():
    text = subprocess.run(["readelf", "-d", BINARY], stdout=subprocess.PIPE, text=True, check=True).stdout
    return set(re.findall(r"NEEDED.*\[(.*)\]", text))


def package_of(library):
    """Debian 12 has merged /usr: dpkg may know the file by either name."""
    for name in (library, library.removeprefix("/usr"), str(Path(library).resolve())):
        done = subprocess.run(["dpkg-query", "-S", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.split(":")[0]
    raise AssertionError(f"no package has {library}")


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
