"""A private PostgreSQL: a temporary cluster on a free port of the loopback, of any installed major."""
import copy
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg2
import psycopg2.extras

from .ports import free_port
from .waiting import TestFailure, wait_for

ROOT = Path(__file__).resolve().parents[3]
DEBIAN = Path("/usr/lib/postgresql/15")
PASSWORD = "pencil"  # of the role `cdc`, that pgcourier connects as

SETTINGS = {
    "wal_level": "logical",
    "listen_addresses": "127.0.0.1",
    "max_wal_senders": 10,
    "max_replication_slots": 20,
    "max_connections": 60,
    "max_worker_processes": 8,
    "shared_buffers": "32MB",
    "wal_keep_size": "64MB",
    "max_wal_size": "512MB",
    "logical_decoding_work_mem": "64MB",
    "deadlock_timeout": "50ms",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %a ",
    "autovacuum": "off",
    "track_commit_timestamp": "on",
}


def home_of(major):
    """The folder with bin/ of this major; scripts/install_postgres_majors brings those that are not Debian's."""
    if major == 15:
        return DEBIAN
    home = Path(os.environ.get("PGCOURIER_CACHE", ROOT / "build" / "postgres")) / str(major)
    if not (home / "bin" / "postgres").exists():
        raise TestFailure(f"no PostgreSQL {major} in {home}: run scripts/install_postgres_majors {major}")
    return home


def children_of(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Postgres:
    """`with Postgres() as server:` starts it and removes it at the end."""

    def __init__(self, major=15, fsync=False, port=None, database="shop", **settings):
        self.major = major
        self.home = home_of(major)
        self.database = database
        self.port = port or free_port()
        self.as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.folder = Path(tempfile.mkdtemp(prefix="pgcourier-pg-"))
        self.data = self.folder / "data"
        if self.as_postgres:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self.folder.chmod(0o755)
        self.settings = dict(SETTINGS, fsync="on" if fsync else "off", unix_socket_directories=str(self.folder))
        self.settings.update(settings)

    # -- making one --------------------------------------------------------------------------------------------
    def initdb(self):
        self.command("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8",
                     "--locale=C", env={"LC_ALL": "C"})
        self.configure()
        return self

    def configure(self):
        with open(self.data / "postgresql.auto.conf", "w") as file:
            for name, value in dict(self.settings, port=self.port).items():
                file.write(f"{name} = '{value}'\n")
        with open(self.data / "pg_hba.conf", "w") as file:
            file.write("local all all trust\n"
                       "host all cdc 127.0.0.1/32 scram-sha-256\n"
                       "host replication cdc 127.0.0.1/32 scram-sha-256\n"
                       "host all all 127.0.0.1/32 trust\n"
                       "host replication all 127.0.0.1/32 trust\n")

    def create_database(self):
        self.sql(f"CREATE DATABASE {self.database}", database="postgres")
        self.sql(f"CREATE ROLE cdc LOGIN REPLICATION PASSWORD '{PASSWORD}'")
        self.sql("GRANT pg_read_all_data, pg_monitor TO cdc")

    def other_database(self, name, options=""):
        """This server with another database of its cluster, which is made."""
        self.sql(f"CREATE DATABASE {name} {options}", database="postgres")
        other = copy.copy(self)
        other.database = name
        return other

    def copy_of(self, other):
        """Makes this cluster a pg_basebackup of another one (Debian's 15 only)."""
        self.command("pg_basebackup", "-D", self.data, "-h", "127.0.0.1", "-p", other.port, "-U", "postgres",
                     "-X", "stream", "-c", "fast", "--no-sync")
        self.configure()
        return self

    def standby_of(self, other):
        self.settings["primary_conninfo"] = f"host=127.0.0.1 port={other.port} user=postgres"
        self.copy_of(other)
        (self.data / "standby.signal").touch()
        return self

    def restored_from(self, folder):
        """Makes this cluster a copy of a data folder taken while the server was down."""
        self.command("", "cp", "-a", str(folder), str(self.data))
        self.configure()
        return self

    # -- running -----------------------------------------------------------------------------------------------
    def command(self, program, *arguments, check=True, env=None):
        path = [str(self.home / "bin" / program)] if program else []
        done = subprocess.run(self.as_postgres + path + [str(word) for word in arguments], text=True, cwd="/",
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=dict(os.environ, **(env or {})))
        if check and done.returncode != 0:
            raise TestFailure(f"{program} {' '.join(map(str, arguments))}: {done.stdout[-2000:]}\n{self.log_tail()}")
        return done

    def start(self):
        # -l keeps the server off our descriptors, so that nobody waits for a pipe it inherited.
        self.command("pg_ctl", "start", "-w", "-t", "60", "-D", self.data, "-l", self.folder / "log", "-s")
        return self

    def stop(self, mode="fast", timeout=60):
        self.command("pg_ctl", "stop", "-w", "-t", str(timeout), "-m", mode, "-D", self.data, "-s")

    def kill(self):
        """kill -9 of the postmaster; returns when all of its children are gone too."""
        pid = self.pid()
        family = [pid] + children_of(pid)
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while any(alive(member) for member in family):
            if time.monotonic() > deadline:  # a walsender may not notice for long
                for member in filter(alive, family):
                    os.kill(member, signal.SIGKILL)
            time.sleep(0.01)
        # Where nobody reaps orphans, a zombie still answers kill(pid, 0) and the next start would refuse.
        for lock in (self.data / "postmaster.pid", self.folder / f".s.PGSQL.{self.port}.lock"):
            lock.unlink(missing_ok=True)

    def restart(self, how="fast"):
        """how: fast, immediate or kill."""
        if how == "kill":
            self.kill()
        else:
            self.stop(how)
        self.start()

    def promote(self):
        self.command("pg_ctl", "promote", "-w", "-D", self.data, "-s")

    def pid(self):
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def log_tail(self, size=2000):
        path = self.folder / "log"
        return path.read_text(errors="replace")[-size:] if path.exists() else ""

    def remove(self):
        if (self.data / "postmaster.pid").exists():
            self.command("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self.data, "-s", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            self.initdb().start().create_database()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    # -- SQL ---------------------------------------------------------------------------------------------------
    def connect(self, database=None, user="postgres", autocommit=True, **more):
        connection = psycopg2.connect(host="127.0.0.1", port=self.port, user=user, connect_timeout=10,
                                      dbname=database or self.database, **more)
        connection.autocommit = autocommit
        return connection

    def sql(self, statement, *arguments, database=None):
        """Runs statements; the rows of the last one, or []."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, arguments or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def value(self, statement, *arguments, database=None):
        rows = self.sql(statement, *arguments, database=database)
        return rows[0][0] if rows else None

    def url(self, user="cdc", database=None, port=None, parameters=""):
        password = f":{PASSWORD}" if user == "cdc" else ""
        return f"postgresql://{user}{password}@127.0.0.1:{port or self.port}/{database or self.database}{parameters}"

    # -- the slot ----------------------------------------------------------------------------------------------
    def slot(self, name="shop"):
        """The row of pg_replication_slots as a dict, or None."""
        connection = self.connect()
        try:
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute("SELECT * FROM pg_replication_slots WHERE slot_name = %s", (name,))
                return cursor.fetchone()
        finally:
            connection.close()

    def wait_active(self, name="shop", timeout=20):
        return wait_for(lambda: (self.slot(name) or {}).get("active_pid"), f"slot {name} to be in use", timeout)

    def wait_free(self, name="shop", timeout=20):
        wait_for(lambda: not (self.slot(name) or {}).get("active_pid"), f"slot {name} to be free", timeout)

    def wait_confirmed(self, position, name="shop", timeout=30):
        """Until confirmed_flush_lsn has reached the LSN (text)."""
        wait_for(lambda: self.value("SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots "
                                    "WHERE slot_name = %s", position, name),
                 lambda: f"slot {name} to be confirmed up to {position}: {self.slot(name)}", timeout)
