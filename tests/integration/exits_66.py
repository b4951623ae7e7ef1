"""Every exit 66 of rules 8 and 9, provoked by name, with its remedy. `exits_66.py [words]` runs the
cases named by the words."""
from harness.courier import Courier
from harness.postgres import Postgres
from harness.program import cases_of, run_cases
from harness.shared import PLAIN, courier, delivered, flag_of, insert, refused, server
from harness.waiting import lsn, require, wait_for


def accepts_gap(pipeline, process):
    """Another LSN accepts nothing; the printed one is accepted once."""
    gap = flag_of(process, "--accept-gap")
    require(gap == pipeline.bookmark()["position"], f"{gap} is not the bookmark's position {pipeline.bookmark()}")
    refused(pipeline, 66, arguments=("--accept-gap=0/10",))
    before = len(pipeline.events())
    accepted = pipeline.run("--until-lsn", "now", f"--accept-gap={gap}")
    accepted.wait_exit(0)
    require(accepted.says("gap"), lambda: f"the gap is not logged:\n{accepted.log()}")
    insert(2, of=pipeline.server)
    pipeline.drain()
    require(len(pipeline.events()) >= before + 2, "nothing is delivered after the gap")


def case_66_slot_dropped():
    with courier() as pipeline:
        delivered(pipeline)
        server().sql("SELECT pg_drop_replication_slot(%s)", pipeline.settings["source"]["slot"])
        insert(2)
        process = refused(pipeline, 66, pipeline.settings["source"]["slot"])
        create = pipeline.start("slot", "create", "-c", pipeline.file)
        create.wait_exit(66)
        accepts_gap(pipeline, process)


def case_66_slot_dropped_create_accept_gap():
    with courier() as pipeline:
        delivered(pipeline)
        server().sql("SELECT pg_drop_replication_slot(%s)", pipeline.settings["source"]["slot"])
        gap = flag_of(refused(pipeline, 66), "--accept-gap")
        pipeline.start("slot", "create", "-c", pipeline.file, f"--accept-gap={gap}").wait_exit(0)
        insert(2)
        pipeline.drain()
        require(len(pipeline.events()) == 5, f"{len(pipeline.events())} events")


def case_66_slot_recreated():
    with courier() as pipeline:
        delivered(pipeline)
        slot = pipeline.settings["source"]["slot"]
        server().sql("SELECT pg_drop_replication_slot(%s)", slot)
        insert(2)
        server().sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", slot)
        accepts_gap(pipeline, refused(pipeline, 66))


def case_66_slot_advanced_by_sql():
    with courier() as pipeline:
        delivered(pipeline)
        insert(2)
        server().sql("SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", pipeline.settings["source"]["slot"])
        accepts_gap(pipeline, refused(pipeline, 66))


def case_66_slot_invalidated():
    """Edge case 12: the WAL the slot needs is gone."""
    with Postgres(max_slot_wal_keep_size="1MB", max_wal_size="32MB", min_wal_size="32MB", wal_keep_size="0") as small:
        small.sql(PLAIN)
        with Courier(small) as pipeline:
            delivered(pipeline)
            for _ in range(6):
                small.sql("SELECT pg_switch_wal(); CREATE TABLE IF NOT EXISTS fill (a text); "
                          "INSERT INTO fill SELECT repeat('x', 1000) FROM generate_series(1, 8000); CHECKPOINT;")
            require(small.slot()["wal_status"] == "lost", f"the slot is not lost: {small.slot()}")
            process = refused(pipeline, 66)
            require(flag_of(process, "--accept-gap"), "no remedy")


def case_66_other_cluster():
    with Postgres() as first, Postgres() as second, Courier(first) as pipeline:
        for each in (first, second):
            each.sql(PLAIN)
        delivered(pipeline)
        second.sql("SELECT pg_create_logical_replication_slot('shop', 'pgoutput')")
        pipeline.server = second
        pipeline.set("source.url", second.url())
        process = refused(pipeline, 66, second.value("SELECT system_identifier::text FROM pg_control_system()"))
        identity = flag_of(process, "--accept-identity")
        refused(pipeline, 66, arguments=("--accept-identity=4711",))
        accepted = pipeline.run("--until-lsn", "now", f"--accept-identity={identity}")
        accepted.wait_exit(0)
        insert(2, of=second)
        pipeline.drain()
        require(len(pipeline.events()) == 5, f"{len(pipeline.events())} events")


def case_66_other_database():
    with courier() as pipeline:
        delivered(pipeline)
        slot = pipeline.settings["source"]["slot"]
        server().sql("SELECT pg_drop_replication_slot(%s)", slot)
        server().sql("CREATE DATABASE other")
        server().sql(PLAIN, database="other")
        server().sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", slot, database="other")
        pipeline.set("source.url", server().url(database="other"))
        refused(pipeline, 66, "other")
        server().sql("SELECT pg_drop_replication_slot(%s)", slot, database="other")
        server().sql("DROP DATABASE other WITH (FORCE)")


def case_66_other_slot():
    with courier() as pipeline:
        delivered(pipeline)
        server().sql("SELECT pg_create_logical_replication_slot('another_slot', 'pgoutput')")
        pipeline.set("source.slot", "another_slot")
        refused(pipeline, 66, "another_slot")
        server().sql("SELECT pg_drop_replication_slot('another_slot')")


def case_66_restored_copy():
    """A copy of the data folder from before the last delivered transactions takes the server's place."""
    with Postgres() as first, Courier(first) as pipeline:
        first.sql(PLAIN)
        delivered(pipeline)
        first.stop()
        with RestoredCopy(first) as copy:
            first.start()
            insert(500, of=first)
            pipeline.drain()
            first.stop()
            copy.start()
            pipeline.server = copy
            pipeline.set("source.url", copy.url())
            refused(pipeline, 66)


class RestoredCopy(Postgres):
    def __init__(self, original):
        super().__init__()
        self.restored_from(original.data)

    def __enter__(self):
        return self


def case_66_promoted_behind():
    """The standby has not got the last delivered transactions when it is promoted."""
    with Postgres() as primary, Courier(primary) as pipeline:
        primary.sql(PLAIN)
        delivered(pipeline)
        with Standby(primary) as standby:
            standby.start()
            position = insert(of=primary)
            wait_for(lambda: standby.value("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", position), "the standby")
            standby.stop()
            insert(2000, of=primary)
            pipeline.drain()
            primary.kill()
            standby.settings["primary_conninfo"] = ""
            standby.configure()
            standby.start().promote()
            standby.sql("SELECT pg_create_logical_replication_slot('shop', 'pgoutput')")
            require(lsn(standby.slot()["confirmed_flush_lsn"]) < lsn(pipeline.bookmark()["delivered"]),
                    "the promoted standby is not behind")
            pipeline.server = standby
            pipeline.set("source.url", standby.url())
            before = standby.slot()["confirmed_flush_lsn"]
            refused(pipeline, 66, "timeline")
            require(standby.slot()["confirmed_flush_lsn"] == before, f"confirmed before the check: {standby.slot()}")


class Standby(Postgres):
    def __init__(self, primary):
        super().__init__()
        self.standby_of(primary)

    def __enter__(self):
        return self


def case_66_files_without_bookmark():
    with courier() as pipeline:
        delivered(pipeline)
        (pipeline.files / f"{pipeline.name}.bookmark.json").unlink()
        refused(pipeline, 66, "bookmark")


def case_66_torn_bookmark():
    with courier() as pipeline:
        delivered(pipeline)
        path = pipeline.files / f"{pipeline.name}.bookmark.json"
        path.write_text(path.read_text()[:20])
        refused(pipeline, 66, "bookmark")


def case_66_kafka_slot_advanced_by_sql():
    """The bookmark in Kafka is checked as the one in the files is."""
    with courier(sinks=("kafka",)) as pipeline:
        pipeline.start("slot", "create", "-c", pipeline.file).wait_exit(0)
        insert(3)
        pipeline.drain()
        insert(2)
        server().sql("SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", pipeline.settings["source"]["slot"])
        gap = flag_of(refused(pipeline, 66), "--accept-gap")
        accepted = pipeline.run("--until-lsn", "now", f"--accept-gap={gap}")
        accepted.wait_exit(0)


def case_no_bookmark_starts_at_the_slot():
    """None at all is no fault: WARN with the LSN, start where the slot stands."""
    with courier() as pipeline:
        slot = pipeline.settings["source"]["slot"]
        server().sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", slot)
        stands = server().slot(slot)["confirmed_flush_lsn"]
        insert(2)
        process = pipeline.drain()
        require(len(pipeline.events()) == 2, f"{len(pipeline.events())} events")
        require(process.says("warn", stands), lambda: f"no warning with {stands}:\n{process.log()}")


def case_new_sink_beside_old_ones():
    """It starts where the slot stands, with a WARN; the old one goes on."""
    with courier() as pipeline:
        delivered(pipeline)
        second = pipeline.folder / "second"
        second.mkdir()
        pipeline.settings["sinks"].append({"files": {"id": "second", "directory": str(second)}})
        insert(2)
        process = pipeline.drain()
        require(process.says("warn", "second"), lambda: f"no warning about the new sink:\n{process.log()}")
        require(len(pipeline.events()) == 5, f"{len(pipeline.events())} events in the old one")
        lines = sum(len(path.read_bytes().splitlines()) for path in second.glob("*.jsonl*"))
        require(lines == 2, f"{lines} events in the new one")


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
