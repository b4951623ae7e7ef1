"""Edge cases that need a standby of PostgreSQL 16 or 17: decoding on one (16), and a failover slot that outlives its
primary (14), a primary that waits for its standby (15). `edge_cases_standby.py [words]`."""
import json

from harness.checker import check_files
from harness.courier import Courier
from harness.postgres import PASSWORD, Postgres
from harness.program import cases_of, run_cases
from harness.schema import schema_of
from harness.shared import PLAIN, insert
from harness.standby import ColdStandby, fail_over, synchronised, wait_streaming_from
from harness.truth import Truth
from harness.waiting import equal, require, wait_for
from harness.workload import Workload


def case_16_decoding_on_a_standby():
    """The slot is made there; its creation waits for a record that only the primary can write."""
    with Postgres(16) as primary:
        primary.sql(PLAIN)
        primary.sql("SELECT pg_create_physical_replication_slot('standby', true)")
        primary.stop()
        with ColdStandby(primary) as standby:
            primary.start()
            url = standby.url() + "?target_session_attrs=any"
            with Courier(standby, url=url) as pipeline:
                process = pipeline.run()
                wait_streaming_from(standby, primary, process)
                position = insert(100, of=primary)
                standby.wait_confirmed(position, timeout=30)
                process.terminate()
                require(len(pipeline.events()) == 100, f"{len(pipeline.events())} events of 100")


def case_14_failover_slot_after_promotion():
    """The synchronised slot may lag behind what was confirmed: the bookmark skips what is already there."""
    with Postgres(17) as primary:
        primary.sql(schema_of())
        primary.sql("SELECT pg_create_physical_replication_slot('standby', true)")
        primary.stop()
        with ColdStandby(primary, sync_replication_slots="on") as standby:
            primary.settings["synchronized_standby_slots"] = "standby"
            primary.configure()
            primary.start()
            hosts = f"postgresql://cdc:{PASSWORD}@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/shop"
            with Courier(primary, url=hosts) as pipeline:
                process = pipeline.run_streaming()
                require(primary.value("SELECT failover FROM pg_replication_slots WHERE slot_name = 'shop'"),
                        "the slot was not made with failover")
                with Workload(primary, 14, writers=2, rate=40, large=False) as load:
                    load.wait_commits(60)
                    wait_for(lambda: synchronised(standby), "the slot on the standby", 40, every=0.5)
                    load.wait_commits(60)
                    load.stop()
                fail_over(primary, standby, pipeline)
                with Workload(standby, 15, writers=2, rate=40, large=False) as load:
                    load.wait_commits(60)
                    load.stop()
                require(process.running(), lambda: f"it ended:\n{process.log()}")
                process.terminate()
                pipeline.drain()
                counts = check_files(pipeline.files, Truth.of(standby), pipeline.name)
                require(counts["events"] > 300, f"{counts}")
                print(f"      {counts}")


def case_15_the_server_waits_for_a_standby():
    """synchronized_standby_slots: what a failover could lose is not sent. Shown as that, not as a lag without a cause."""
    with Postgres(17, synchronized_standby_slots="standby") as primary, Courier(primary, http=True) as pipeline:
        primary.sql(PLAIN)
        primary.sql("SELECT pg_create_physical_replication_slot('standby', true)")
        process = pipeline.run_streaming()
        process.wait_says("streaming")

        def status():
            return json.loads(pipeline.get("/api/v1/status")[1])["source"]
        require(not status()["waits_for_standby"], "it waits before there is anything to wait for")
        insert(10, of=primary)
        wait_for(lambda: status()["waits_for_standby"], lambda: f"the wait to be shown: {status()}", 40, every=0.5)
        equal(pipeline.metrics()['pgcourier_waits_for_standby{pipeline="shop"}'], 1.0)
        require(process.says("until its standbys have caught up", "synchronized_standby_slots"), lambda: process.log())
        equal(pipeline.events(), [])
        primary.sql("ALTER SYSTEM SET synchronized_standby_slots = ''")
        primary.sql("SELECT pg_reload_conf()")
        wait_for(lambda: len(pipeline.events()) == 10, "the events", 30)
        wait_for(lambda: not status()["waits_for_standby"], "the wait to end", 40, every=0.5)
        process.terminate()


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
