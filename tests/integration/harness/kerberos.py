"""A private Kerberos realm: a KDC on a free port of the loopback, its database, tickets and key tables, all in one
folder. Nothing of the machine's own Kerberos is touched or read."""
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from .ports import free_port

REALM = "PGCOURIER.TEST"
SBIN = ["/usr/sbin", "/usr/bin"]

CLIENT = """[libdefaults]
    default_realm = {realm}
    dns_lookup_realm = false
    dns_lookup_kdc = false
    dns_canonicalize_hostname = false
    rdns = false
    forwardable = true
    udp_preference_limit = 1
[realms]
    {realm} = {{
        kdc = 127.0.0.1:{port}
    }}
[domain_realm]
    localhost = {realm}
"""

KDC = """[kdcdefaults]
    kdc_listen = 127.0.0.1:{port}
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {realm} = {{
        database_name = {folder}/principal
        key_stash_file = {folder}/stash
        acl_file = {folder}/acl
        max_life = 1d
    }}
[logging]
    kdc = FILE:{folder}/kdc.log
    admin_server = FILE:{folder}/kdc.log
    default = FILE:{folder}/kdc.log
"""


def program(name):
    found = shutil.which(name, path=os.pathsep.join(SBIN))
    if not found:
        raise SystemExit(f"{name} is missing: run scripts/install_packages tests")
    return found


class Realm:
    """The `krb5.conf` of the folder leads to the KDC, `dead.conf` to a port where nobody is, `silent.conf` to one
    where nobody answers. `USER.ccache` and `USER.keytab` are made by add_user()."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir()
        self.port = free_port()
        self.silent = socket.create_server(("127.0.0.1", 0))
        ports = {"krb5": self.port, "dead": free_port(), "silent": self.silent.getsockname()[1]}
        for name, port in ports.items():
            (self.folder / f"{name}.conf").write_text(CLIENT.format(realm=REALM, port=port))
        (self.folder / "kdc.conf").write_text(KDC.format(realm=REALM, port=self.port, folder=self.folder))
        self.environment = dict(os.environ, KRB5_CONFIG=str(self.folder / "krb5.conf"),
                                KRB5_KDC_PROFILE=str(self.folder / "kdc.conf"), KRB5RCACHENAME="none:")
        self.run("kdb5_util", "create", "-s", "-r", REALM, "-P", "master")
        self.kdc = subprocess.Popen([program("krb5kdc"), "-n"], env=self.environment, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.await_kdc()

    def run(self, name, *arguments):
        done = subprocess.run([program(name), *map(str, arguments)], env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise SystemExit(f"{name} {arguments}: {done.stdout}")

    def await_kdc(self):
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("the KDC does not listen: " + (self.folder / "kdc.log").read_text())

    def add_principal(self, name, keytab):
        """With a random key, which goes into the file `keytab`."""
        self.run("kadmin.local", "-q", f"addprinc -randkey {name}")
        self.run("kadmin.local", "-q", f"ktadd -k {self.folder / keytab} {name}")

    def add_user(self, name):
        self.add_principal(name, f"{name}.keytab")
        self.ticket(name, f"{name}.ccache")

    def ticket(self, user, cache, lifetime="1d"):
        self.run("kinit", "-l", lifetime, "-c", f"FILE:{self.folder / cache}", "-k", "-t",
                 self.folder / f"{user}.keytab", user)

    def stop(self):
        self.kdc.terminate()
        self.kdc.wait()
        self.silent.close()
