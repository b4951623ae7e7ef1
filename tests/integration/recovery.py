"""What an operator does after a restore from a backup, a pg_upgrade, a dump into a new cluster, an invalidated slot: pgcourier says
what is the matter (exit 66), and doing what it says goes on. docs/operations.md has the same commands. `recovery.py [words]` runs the
cases named by the words."""
import subprocess

from harness.courier import Courier
from harness.postgres import DEBIAN, ROOT, Postgres
from harness.program import cases_of, run_cases
from harness.shared import PLAIN, delivered, flag_of, insert, refused
from harness.standby import ColdStandby, wait_streaming_from
from harness.waiting import equal, require, wait_for


def moved_to(pipeline, server):
    pipeline.server = server
    pipeline.set("source.url", server.url())


def accepts_identity(pipeline, process, *words):
    """What the refusal printed is taken once; the log then says from where it goes on, and what was given up."""
    identity = flag_of(process, "--accept-identity")
    last = pipeline.events()[-1]["end_lsn"]
    accepted = pipeline.run("--until-lsn", "now", f"--accept-identity={identity}")
    accepted.wait_exit(0)
    require(accepted.says("warn", "was given up as accepted", f"delivered {last}", "it goes on from", *words),
            lambda: accepted.log())


def goes_on(pipeline, events):
    """Two rows more arrive, and `check` is content."""
    insert(2, of=pipeline.server)
    pipeline.drain()
    equal(len(pipeline.events()), events)
    pipeline.start("check", "-c", pipeline.file).wait_exit(0)


def case_restored_to_a_point_in_time():
    """A base backup and the archive, to a moment before the last delivered transactions; no slot comes with it."""
    archive = "archive_command", "mkdir -p {0} && cp %p {0}/%f"
    with Postgres(archive_mode="on") as first, Courier(first) as pipeline:
        folder = first.folder / "archive"
        first.settings[archive[0]] = archive[1].format(folder)
        first.configure()
        first.restart()
        first.sql(PLAIN)
        delivered(pipeline)
        restored = Postgres(restore_command=f"cp {folder}/%f %p", recovery_target_action="promote").copy_of(first)
        try:
            insert(2, of=first)
            restored.settings["recovery_target_lsn"] = first.value("SELECT pg_current_wal_insert_lsn()::text")
            insert(5, of=first)
            pipeline.drain()
            first.sql("SELECT pg_switch_wal()")
            first.stop()  # archives what is left
            restored.configure()
            (restored.data / "recovery.signal").touch()
            restored.start()
            wait_for(lambda: not restored.value("SELECT pg_is_in_recovery()"), "the end of the recovery")
            equal(restored.value("SELECT count(*) FROM orders"), 5)
            moved_to(pipeline, restored)
            process = refused(pipeline, 66, "divergence", "timeline 2", "does not exist, it is made then",
                              pipeline.events()[-1]["end_lsn"])
            pipeline.start("check", "-c", pipeline.file).wait_exit(66)
            accepts_identity(pipeline, process)
            goes_on(pipeline, events=3 + 2 + 5 + 2)
        finally:
            restored.remove()


class Upgraded(Postgres):
    """From the packages that have pg_upgrade (scripts/install_postgres_clients)."""

    def __init__(self, major):
        super().__init__(18)
        self.major = major
        self.home = (ROOT / "build" / "postgres_clients" / str(major)).resolve()

    def initdb(self):
        self.command("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C",
                     *(["--no-data-checksums"] if self.major >= 18 else []), env={"LC_ALL": "C"})
        self.configure()
        return self

    def upgraded_from(self, old):
        self.initdb()
        self.command("", "sh", "-c", f"cd {self.folder} && {self.home}/bin/pg_upgrade -b {old.home}/bin -B {self.home}/bin "
                     f"-d {old.data} -D {self.data} -U postgres -p {old.port} -P {self.port} --no-sync")
        return self


def case_pg_upgrade_keeps_the_slot():
    """From 17 on; all was confirmed, for the old server's shutdown waits for that. The new cluster is another one by its
    identifier, and nothing is lost or delivered twice."""
    with Upgraded(17) as old, Courier(old) as pipeline:
        old.sql(PLAIN)
        delivered(pipeline)
        process = pipeline.run_streaming()
        insert(2, of=old)
        old.stop()
        process.terminate()
        new = Upgraded(18)
        try:
            new.upgraded_from(old).start()
            equal(new.slot()["confirmed_flush_lsn"] is not None, True)
            insert(1, of=new)
            moved_to(pipeline, new)
            process = refused(pipeline, 66, "another cluster", "pg_upgrade")
            accepts_identity(pipeline, process)
            goes_on(pipeline, events=3 + 2 + 1 + 2)
            notes = [event["after"]["id"] for event in pipeline.events()]
            equal(len(set(notes)), len(notes))
        finally:
            new.remove()


def case_dump_restored_into_another_cluster():
    """Also what pg_upgrade leaves before 17: another cluster, without the slot."""
    with Postgres() as old, Postgres() as new, Courier(old) as pipeline:
        old.sql(PLAIN)
        delivered(pipeline)
        dump = subprocess.run([DEBIAN / "bin" / "pg_dump", "-d", old.url("postgres")], check=True, stdout=subprocess.PIPE).stdout
        subprocess.run([DEBIAN / "bin" / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", new.url("postgres")], check=True,
                       input=dump, stdout=subprocess.DEVNULL)
        moved_to(pipeline, new)
        process = refused(pipeline, 66, "another cluster", "does not exist, it is made then")
        identity = flag_of(process, "--accept-identity")
        pipeline.start("slot", "create", "-c", pipeline.file).wait_exit(66)
        pipeline.start("slot", "create", "-c", pipeline.file, f"--accept-identity={identity}").wait_exit(0)
        goes_on(pipeline, events=3 + 2)


def invalidated(pipeline, *words):
    """The slot is found so, with its reason and remedy; a gap is accepted and it goes on."""
    process = refused(pipeline, 66, "is invalidated", *words)
    return flag_of(process, "--accept-gap")


def case_invalidated_idle_timeout():
    with Postgres(18, idle_replication_slot_timeout="1s") as server, Courier(server) as pipeline:
        server.sql(PLAIN)
        delivered(pipeline)

        def lost():
            server.sql("CHECKPOINT")
            return server.slot()["invalidation_reason"] == "idle_timeout"
        wait_for(lost, lambda: f"the slot to be invalidated: {server.slot()}", 30, every=0.5)
        gap = invalidated(pipeline, "idle_timeout", "idle_replication_slot_timeout")
        server.sql("ALTER SYSTEM SET idle_replication_slot_timeout = 0; ")
        server.sql("SELECT pg_reload_conf()")
        pipeline.start("slot", "create", "-c", pipeline.file, f"--accept-gap={gap}").wait_exit(0)
        goes_on(pipeline, events=3 + 2)


def standby_decoding(major, reasons):
    """A slot on a standby, which the primary may invalidate in two ways."""
    with Postgres(major) as primary:
        primary.sql(PLAIN)
        primary.sql("SELECT pg_create_physical_replication_slot('standby', true)")
        primary.stop()
        standby = ColdStandby(primary)
        standby.settings["hot_standby_feedback"] = "off"
        standby.configure()
        with standby, Courier(standby, url=standby.url() + "?target_session_attrs=any") as pipeline:
            primary.start()
            arguments, count = (), 0
            for disturb, words in zip((remove_rows, lower_wal_level), reasons):
                process = pipeline.run(*arguments)
                wait_streaming_from(standby, primary, process)
                count += 3
                standby.wait_confirmed(insert(3, of=primary))
                process.terminate()
                equal(len(pipeline.events()), count)
                disturb(primary)
                wait_for(lambda: standby.slot()["conflicting"], lambda: f"a conflict: {standby.slot()}", 60, every=0.2)
                arguments = (f"--accept-gap={invalidated(pipeline, *words)}",)


def remove_rows(primary):
    """Of the catalog: the slot's catalog_xmin on the standby is not known here."""
    for _ in range(3):
        primary.sql("CREATE TABLE short_lived (a int)")
        primary.sql("DROP TABLE short_lived")
    for catalog in ("pg_class", "pg_attribute", "pg_type", "pg_depend"):
        primary.sql(f"VACUUM {catalog}")
    primary.sql("SELECT pg_switch_wal()")


def lower_wal_level(primary):
    primary.settings["wal_level"] = "replica"
    primary.configure()
    primary.restart()


def case_invalidated_on_a_standby():
    """16 knows that there was a conflict, 17 which one."""
    standby_decoding(16, [("conflicting with recovery", "hot_standby_feedback")] * 2)
    standby_decoding(17, [("rows_removed", "hot_standby_feedback"), ("wal_level_insufficient", "set it back to logical")])


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
