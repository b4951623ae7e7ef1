#!/usr/bin/env python3
"""Starts a server on a base backup that a live test has received, and stops it: the archives are in FOLDER, as
*.tar, *.tar.gz, *.tar.lz4 or *.tar.zst, the server's data goes to FOLDER/data, its port to FOLDER/port."""
import argparse
import os
import shutil
import subprocess
from pathlib import Path

from run import AS_POSTGRES, Server


def as_postgres(*command):
    subprocess.run([*AS_POSTGRES, *map(str, command)], check=True, cwd="/", stdin=subprocess.DEVNULL)


def unpack(archive, folder):
    as_postgres("mkdir", "-m", "700", folder)
    through = {".lz4": ["-I", "lz4"], ".zst": ["-I", "zstd"]}.get(archive.suffix, [])
    as_postgres("tar", "-x", *through, "-f", archive, "-C", folder)


def restore(folder, data):
    """Every tablespace goes to a folder beside the data, for its own place is the first server's."""
    tablespaces = {}
    for archive in sorted(folder.glob("*.tar*")):
        oid = archive.name.split(".")[0]
        if oid == "base":
            unpack(archive, data)
        else:
            tablespaces[oid] = folder / f"tablespace_{oid}"
            unpack(archive, tablespaces[oid])
    if (folder / "backup_manifest").exists():  # pg_combinebackup wants it there
        as_postgres("cp", folder / "backup_manifest", data)
    if tablespaces:
        (data / "tablespace_map").write_text("".join(f"{oid} {place}\n" for oid, place in tablespaces.items()))


def start(options, server):
    if options.combine:
        earlier, later = options.combine / "earlier", options.folder / "later"
        restore(options.combine, earlier)
        restore(options.folder, later)
        as_postgres(options.tools / "pg_combinebackup", "--no-sync", "-o", server.data, earlier, later)
    else:
        restore(options.folder, server.data)
    if options.standby:
        as_postgres("touch", server.data / "standby.signal")
        with open(server.data / "postgresql.auto.conf", "a") as file:
            file.write("wal_keep_size = '1GB'\n")  # what is before the promotion too
    server.configure()
    server.start()
    (options.folder / "port").write_text(str(server.port))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["start", "stop"])
    parser.add_argument("binaries", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--standby", action="store_true", help="in recovery, until it is promoted")
    parser.add_argument("--combine", type=Path, help="folder of the backup that FOLDER's is incremental to")
    parser.add_argument("--tools", type=Path, help="where pg_combinebackup is")
    options = parser.parse_args()
    server = Server(options.folder, "data", Path(os.environ["PGCOURIER_TEST_CERTIFICATES"]), options.binaries)
    if options.command == "start":
        start(options, server)
    else:
        server.stop()
        shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
