#!/usr/bin/env python3
"""Runs replication_live_tests against a private server of each major with every authentication method that it can do and
TLS, a standby of each, and a Kerberos realm for Debian's. Needs Python's standard library, PostgreSQL's binaries (scripts/install_postgres_majors, scripts/install_postgres_clients), openssl and MIT Kerberos
(scripts/install_packages tests)."""
import argparse
import concurrent.futures
import contextlib
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import certificates, kerberos  # noqa: E402
from harness.ports import free_port  # noqa: E402

DEBIAN = 15
BINARIES = Path(os.environ.get("PGCOURIER_TEST_PG", f"/usr/lib/postgresql/{DEBIAN}/bin"))
OTHER_MAJORS = Path(os.environ.get("PGCOURIER_CACHE", Path(__file__).resolve().parents[3] / "build" / "postgres"))
MAJORS = (14, 15, 16, 17, 18)
TIME_LIMIT_S = 800
# pg_combinebackup and pg_receivewal, which the npm servers come without.
CLIENTS = Path(os.environ.get("PGCOURIER_CLIENTS", Path(__file__).resolve().parents[3] / "build" / "postgres_clients"))
AS_POSTGRES = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []

PG_HBA = """
local all all trust
local replication postgres trust
host all postgres all trust
host replication postgres all trust
host all trust_user all trust
host all password_user all password
host all md5_user all md5
host all scram_user,prepared all scram-sha-256
hostssl all cert_user all cert
hostssl all tls_user all trust
hostnossl all plain_user all trust
"""

# Before the rest, on PostgreSQL 18.
OAUTH_HBA = """
local all oauth_user oauth issuer="https://id.test" scope="db"
host all oauth_user all oauth issuer="https://id.test" scope="db"
"""
# Of a server that can do GSSAPI: the npm servers can't, and would not start.
PG_HBA_GSS = """
hostgssenc all gss_enc_user all gss include_realm=0
hostnogssenc all gss_plain_user all gss include_realm=0
host all gss_user all gss include_realm=0
"""
# What needs a newer libpq than Debian's, and what is done with one; gtest takes the last filter it is given.
CHOICE = "--gtest_filter=-LiveOracleNewer.*"
CHOICE_OF_LIBPQ = "--gtest_filter=LiveOracleConnection.*:LiveOracleTls.*:LiveOracleNewer.*"
GSS_USERS = ("gss_user", "gss_enc_user", "gss_plain_user")

ROLES = """
SET password_encryption = 'scram-sha-256';
CREATE ROLE trust_user LOGIN; CREATE ROLE cert_user LOGIN;
CREATE ROLE tls_user LOGIN; CREATE ROLE plain_user LOGIN;
CREATE ROLE password_user LOGIN PASSWORD 'pencil';
CREATE ROLE scram_user LOGIN PASSWORD 'pencil';
SET password_encryption = 'md5';
CREATE ROLE md5_user LOGIN PASSWORD 'pencil';
"""


class Server:
    def __init__(self, folder, name, certs, binaries, realm=None):
        self.realm = realm
        self.binaries = binaries
        self.data = folder / name
        self.log = folder / f"{name}.log"
        self.port = free_port()
        self.folder = folder
        self.certs = certs

    def program(self, name, *arguments, **options):
        command = AS_POSTGRES + [str(self.binaries / name)] + [str(word) for word in arguments]
        return subprocess.run(command, check=True, cwd="/", stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, **options)

    def initdb(self):
        self.program("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C",
                     env=dict(os.environ, LC_ALL="C"))

    def standby(self):
        """Of a server that has not been started yet."""
        standby = Server(self.folder, f"{self.data.name}_standby", self.certs, self.binaries)
        subprocess.run([*AS_POSTGRES, "cp", "-a", self.data, standby.data], check=True)
        subprocess.run([*AS_POSTGRES, "touch", standby.data / "standby.signal"], check=True)
        # max_connections: no less than initdb's, of which its WAL tells.
        standby.configure(primary_conninfo=f"host={self.folder} port={self.port} user=postgres", max_connections=100)
        return standby

    def configure(self, **more):
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1,::1", "wal_level": "logical",
            "unix_socket_directories": f"{self.folder},@pgcourier-{self.port}",
            "fsync": "off", "shared_buffers": "32MB", "max_connections": 30,
            "max_prepared_transactions": 5, "ssl": "on",
            "ssl_cert_file": self.certs / "server.crt", "ssl_key_file": self.certs / "server.key",
            "ssl_ca_file": self.certs / "root.crt", "log_min_messages": "fatal", **more,
        }
        if int((self.data / "PG_VERSION").read_text()) >= 17:
            settings["summarize_wal"] = "on"
        if self.realm:
            settings["krb_server_keyfile"] = f"FILE:{self.realm.folder}/server.keytab"
        with open(self.data / "postgresql.auto.conf", "a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        (self.data / "pg_hba.conf").write_text(PG_HBA + (PG_HBA_GSS if self.realm else ""))

    def start(self):
        try:
            self.program("pg_ctl", "start", "-w", "-t", 60, "-D", self.data, "-l", self.log, "-s",
                         env=self.realm.environment if self.realm else None)
        except subprocess.CalledProcessError as error:
            sys.exit(f"{error}\n{self.log.read_text()}")

    def stop(self):
        self.program("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self.data, "-s")

    def restart_command(self):
        realm = [f"KRB5_CONFIG={self.realm.folder}/krb5.conf"] if self.realm else []
        return " ".join([*AS_POSTGRES, "env", *realm, str(self.binaries / "pg_ctl"), "-D", str(self.data), "-s", "-w",
                         "-m", "fast", "-l", str(self.log), "restart"])

    def sql(self, text):
        self.program(BINARIES / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", self.port,
                     "-U", "postgres", "-d", "postgres", "-c", text)


def start_major(major, folder, certs, realm, with_standby, cleanup):
    """A primary, and its standby or None."""
    is_debian = major == DEBIAN
    binaries = BINARIES if is_debian else OTHER_MAJORS / str(major) / "bin"
    primary = Server(folder, f"major{major}", certs, binaries, realm if is_debian else None)
    primary.initdb()
    standby = primary.standby() if with_standby else None
    primary.configure()
    for server in filter(None, (primary, standby)):
        server.start()
        cleanup.callback(server.stop)
    primary.sql(ROLES)
    if is_debian:
        primary.sql("".join(f"CREATE ROLE {user} LOGIN REPLICATION;" for user in GSS_USERS))
    if major == 18:
        take_oauth_tokens(primary)
    return primary, standby


def take_oauth_tokens(server):
    """oauth_user may log in with the tokens of oauth_validator.c."""
    module = server.folder / "oauth_validator.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", module,
                    Path(__file__).with_name("oauth_validator.c")], check=True)
    with open(server.data / "postgresql.auto.conf", "a") as file:
        file.write(f"oauth_validator_libraries = '{module}'\n")
    (server.data / "pg_hba.conf").write_text(OAUTH_HBA + PG_HBA)
    server.sql("CREATE ROLE oauth_user LOGIN REPLICATION")
    server.sql("SELECT pg_reload_conf()")


def libpq_of(major):
    return {"PGCOURIER_TEST_LIBPQ": major, "LD_LIBRARY_PATH": str(OTHER_MAJORS / major / "lib")}


def make_realm(folder):
    realm = kerberos.Realm(folder)
    realm.add_principal("postgres/localhost", "server.keytab")
    if AS_POSTGRES:
        owner = pwd.getpwnam("postgres")
        os.chown(folder / "server.keytab", owner.pw_uid, owner.pw_gid)
    for user in GSS_USERS:
        realm.add_user(user)
    realm.ticket("gss_user", "expired.ccache", lifetime="1s")
    realm.ticket("gss_user", "fresh.ccache")  # for tests without a KDC: it never gets the server's ticket
    return realm


def run(program, arguments, environment):
    # Tests that look at the memory they take must not meet what AddressSanitizer keeps of the freed.
    environment = {"ASAN_OPTIONS": "quarantine_size_mb=16", **environment}
    process = subprocess.Popen([program, *arguments], env=dict(os.environ, **environment), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    limit = threading.Timer(TIME_LIMIT_S, process.kill)
    limit.start()
    output = []
    for line in process.stdout:
        print(line, end="", flush=True)
        output.append(line)
    limit.cancel()
    status = process.wait()
    if status != 0:
        return 1
    if not re.search(r"\[  PASSED  \] [1-9]", "".join(output)) or any("[  SKIPPED ]" in line for line in output):
        print("FAILED: tests were skipped, or none ran")
        return 1
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="replication_live_tests")
    parser.add_argument("arguments", nargs="*", help="for gtest")
    parser.add_argument("--libpq", metavar="MAJOR", help="run the oracle's tests, with this libpq instead of Debian's")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="pgcourier-connection-"))
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        certs = certificates.make(folder / "certs")
        if AS_POSTGRES:
            owner = pwd.getpwnam("postgres")
            for path in (folder, certs / "server.key"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        folder.chmod(0o755)
        realm = make_realm(folder / "kerberos")
        cleanup.callback(realm.stop)
        with concurrent.futures.ThreadPoolExecutor() as starters:
            servers = dict(zip(MAJORS, starters.map(
                lambda major: start_major(major, folder, certs, realm, major == DEBIAN or not options.libpq, cleanup),
                MAJORS)))
        of_each = {}
        for major, (primary, standby) in servers.items():
            of_each |= {f"PGCOURIER_TEST_PORT_{major}": str(primary.port),
                        f"PGCOURIER_TEST_STANDBY_PORT_{major}": str(standby.port) if standby else "",
                        f"PGCOURIER_TEST_BINARIES_{major}": str(primary.binaries),
                        f"PGCOURIER_TEST_RESTART_{major}": primary.restart_command()}
        sys.exit(run(options.program, [CHOICE_OF_LIBPQ if options.libpq else CHOICE, *options.arguments], {
            **(libpq_of(options.libpq) if options.libpq else {}), **of_each,
            **{f"PGCOURIER_TEST_CLIENTS_{major}": str(CLIENTS / str(major) / "bin") for major in (17, 18)},
            "PGCOURIER_TEST_RESTORE": f"{sys.executable} {Path(__file__).resolve().parent / 'restore.py'}",
            "PGCOURIER_TEST_SERVER_USER": pwd.getpwuid(servers[DEBIAN][0].data.stat().st_uid).pw_name,
            "PGCOURIER_TEST_SOCKETS": str(folder), "PGCOURIER_TEST_CERTIFICATES": str(certs),
            "PGCOURIER_TEST_KERBEROS": str(realm.folder)}))


if __name__ == "__main__":
    main()
