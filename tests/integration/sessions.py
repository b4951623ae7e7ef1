"""What one replication session leaves to the next one: slots that vanish between them, servers that change places, and
what a run is the sum of. `sessions.py [words]`."""
import contextlib
import fcntl
import json
import os
import signal
import socket
import threading
import time

import psycopg2
import psycopg2.extras

from harness.courier import Courier
from harness.postgres import PASSWORD, Postgres
from harness.program import cases_of, run_cases
from harness.shared import PLAIN, courier, insert, server
from harness.standby import ColdStandby, synchronised, wait_streaming_from
from harness.waiting import TestFailure, require, wait_for


def end_walsender(slot):
    server().sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s AND active", slot)


def drop_at_once(slot):
    """Before pgcourier, which tries again after half a second, has it again."""
    def dropped():
        try:
            server().sql("SELECT pg_drop_replication_slot(%s)", slot)
        except psycopg2.Error:
            return False
        return True
    wait_for(dropped, f"{slot} to be dropped", 5, every=0.005)


def case_66_slot_dropped_between_two_sessions_of_stdout():
    """A sink without a bookmark of its own does not forget within a run."""
    with courier(sinks=("stdout",)) as pipeline, open(pipeline.folder / "out", "wb") as out:
        process = pipeline.run_streaming(stdout=out)
        slot = pipeline.settings["source"]["slot"]
        server().wait_confirmed(insert(1), slot)
        end_walsender(slot)
        drop_at_once(slot)
        insert(1, note="lost")
        process.wait_exit(66)
        require(process.says("does not exist", "were fed from it"), lambda: process.log())
        require(server().slot(slot) is None, "a slot was made over the gap")
        require(any(line.get("kind") == "slot" for line in process.lines), lambda: process.log())


def case_stdout_repeats_nothing_within_a_run():
    with courier(sinks=("stdout",)) as pipeline, open(pipeline.folder / "out", "wb") as out:
        process = pipeline.run_streaming(stdout=out)
        slot = pipeline.settings["source"]["slot"]
        for ended in range(1, 4):
            server().wait_confirmed(insert(10), slot)
            end_walsender(slot)
            wait_for(lambda: sum(line.get("msg") == "streaming" for line in process.lines) > ended, "the next session")
        process.terminate()
        events = [json.loads(line) for line in (pipeline.folder / "out").read_bytes().splitlines()]
        require(len(events) == 30, f"{len(events)} events of 30")
        closing = [line for line in process.lines if line.get("msg") == "sink closed"]
        require(len(closing) == 1 and closing[0]["events"] == 30 and closing[0]["sessions"] == 4, f"{closing}")


def case_what_the_server_tells_is_logged():
    """Here a WARNING at the start of each session: its DETAIL and HINT stay out."""
    server().sql("UPDATE pg_database SET datcollversion = 'old' WHERE datname = 'shop'")
    try:
        with courier(sinks=("null",)) as pipeline:
            process = pipeline.run_streaming()
            told = [line for line in process.lines if line.get("msg") == "the server tells"]
            require({line["connection"] for line in told} == {"sql", "stream"}, f"{told}")
            for line in told:
                require(line["level"] == "warn" and line["severity"] == "WARNING" and "collation version" in line["notice"], f"{line}")
            require("REFRESH COLLATION" not in process.log(), lambda: process.log())
            process.terminate()
    finally:
        server().sql("UPDATE pg_database SET datcollversion = NULL WHERE datname = 'shop'")


def case_a_postmaster_that_cannot_fork_is_tried_again():
    """It says so without a length, in the words of protocol 2."""
    with socket.create_server(("127.0.0.1", 0)) as postmaster:
        def answer():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = postmaster.accept()
                    with client:
                        client.recv(1000)
                        client.sendall(b"Ecould not fork new process for connection: Cannot allocate memory\n\0")
        threading.Thread(target=answer, daemon=True).start()
        url = f"postgresql://cdc:{PASSWORD}@127.0.0.1:{postmaster.getsockname()[1]}/shop?sslmode=disable&gssencmode=disable"
        with courier(sinks=("null",), url=url) as pipeline:
            process = pipeline.run()
            attempts = lambda: sum("Cannot allocate memory" in str(line) for line in list(process.lines))
            wait_for(lambda: attempts() >= 2, "the second attempt")
            require(process.running(), lambda: f"it ended:\n{process.log()}")
            process.kill()


def case_until_now_is_where_the_server_stood_at_the_start():
    """Also for the sessions after the first."""
    with courier(sinks=("stdout",)) as pipeline:
        slot = pipeline.settings["source"]["slot"]
        pipeline.start("slot", "create", "-c", pipeline.file).wait_exit(0)
        insert(3000, note="n" * 200)
        read_end, write_end = os.pipe()
        process = pipeline.run("--until-lsn", "now", stdout=write_end)
        os.close(write_end)
        process.wait_says("streaming")
        server().wait_active(slot)
        insert(7, note="after the start")
        end_walsender(slot)
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(os.fdopen(read_end, "rb")), daemon=True)
        reader.start()
        process.wait_exit(0)
        reader.join(10)
        require(sum(b'"op":"insert"' in line for line in lines) >= 3000, f"{len(lines)} lines")
        require(not any(b"after the start" in line for line in lines), "it went past where the server stood")


def walsender_of(name, slot):
    """Another program's session, which has the slot until it is closed."""
    holder = psycopg2.connect(host="127.0.0.1", port=server().port, user="postgres", dbname="shop", application_name=name,
                              connection_factory=psycopg2.extras.LogicalReplicationConnection)
    holder.cursor().start_replication(slot_name=slot, decode=False,
                                      options={"proto_version": "1", "publication_names": "shop"})
    return holder


def case_a_waiting_standby_touches_no_file():
    """Repair is for whoever has the slot: the tail is torn because he is about to write its rest."""
    with courier() as pipeline:
        slot = pipeline.settings["source"]["slot"]
        process = pipeline.run_streaming()
        server().wait_confirmed(insert(3), slot)
        process.kill()
        server().wait_free(slot)
        file = next(path for path in pipeline.names() if path.name.endswith(".open"))
        file.write_bytes(file.read_bytes() + b'{"op":"ins')
        torn = file.read_bytes()
        with contextlib.closing(walsender_of(pipeline.name, slot)):
            waiting = pipeline.run()
            waiting.wait_says("waiting as a standby")
            require(file.read_bytes() == torn, "it changed the file of somebody else's session")
        waiting.wait_says('"streaming"')
        require(len(file.read_bytes()) < len(torn), "the torn tail is still there")
        waiting.terminate()
        require(len(pipeline.events()) == 3, f"{len(pipeline.events())} events of 3")


def case_a_session_that_ended_leaves_its_locks():
    """Whoever has the slot then needs them."""
    with courier() as pipeline:
        slot = pipeline.settings["source"]["slot"]
        process = pipeline.run_streaming()
        server().wait_confirmed(insert(1), slot)
        end_walsender(slot)
        taken = wait_for(lambda: taken_at_once(pipeline.name, slot), "the slot to be free", 5, every=0.005)
        with contextlib.closing(taken):
            process.wait_says("waiting as a standby")
            for path in (pipeline.files / f"{pipeline.name}.lock", pipeline.folder / "state" / f"{pipeline.name}.lock"):
                with open(path) as lock:
                    try:
                        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        raise TestFailure(f"{path} is still locked") from None
        server().wait_confirmed(insert(1), slot)
        process.terminate()


def taken_at_once(name, slot):
    try:
        return walsender_of(name, slot)
    except psycopg2.Error:
        return None


def case_78_another_program_holds_the_slot():
    """With a name of its own, and not for a moment only."""
    with courier() as pipeline:
        slot = pipeline.settings["source"]["slot"]
        server().sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", slot)
        with contextlib.closing(walsender_of("somebody_else", slot)):
            started = time.monotonic()
            process = pipeline.run()
            process.wait_exit(78, timeout=25)
            require(process.says("another program", "somebody_else"), lambda: process.log())
            require(time.monotonic() - started >= 10, "it did not wait")


def case_a_waiting_standby_makes_no_slot_over_new_bookmarks():
    """It looked for bookmarks before there were any, and must look again before it makes a slot."""
    with courier() as pipeline, courier() as other:
        slot = pipeline.settings["source"]["slot"]
        server().sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", slot)
        holder = walsender_of(pipeline.name, slot)
        waiting = pipeline.run(env={"PGCOURIER_STATE_DIR": str(other.folder / "state")})
        waiting.wait_says("waiting as a standby")
        time.sleep(11)  # from then on it looks every 2 s only: the first one gets the slot
        holder.close()
        first = pipeline.run()
        first.wait_says('"streaming"')
        server().wait_confirmed(insert(5), slot)
        first.kill()
        drop_at_once(slot)
        waiting.wait_exit(66)
        require(server().slot(slot) is None, lambda: f"it made a slot:\n{waiting.log()}")


def case_the_second_connection_stays_with_the_streams_server():
    """Of two hosts, the one that streams is shutting down: that the other one answers means nothing."""
    with Postgres() as first, Postgres() as second:
        for each in (first, second):
            each.sql(PLAIN)
        hosts = f"postgresql://cdc:{PASSWORD}@127.0.0.1:{first.port},127.0.0.1:{second.port}/shop?target_session_attrs=any"
        with Courier(first, sinks=("stdout",), url=hosts, source__shutdown_grace="3s") as pipeline:
            read_end, write_end = os.pipe()
            process = pipeline.run_streaming(stdout=write_end)
            os.close(write_end)
            insert(3000, of=first, note="n" * 200)
            wait_for(lambda: first.value("SELECT sent_lsn >= pg_current_wal_insert_lsn() FROM pg_stat_replication"), "all to be sent")
            started = time.monotonic()
            first.stop("fast", timeout=40)
            require(time.monotonic() - started < 20, f"stopped after {time.monotonic() - started:.0f} s")
            require(process.says("shutting down"), lambda: process.log())
            process.kill()
            os.close(read_end)


def case_the_catalog_is_asked_while_the_server_shuts_down():
    """The server waits for what it sent to be confirmed, and takes no connection any more that could answer."""
    with Postgres() as one:
        one.sql(PLAIN)
        one.sql("CREATE TABLE late (id int PRIMARY KEY); ALTER TABLE late REPLICA IDENTITY FULL; ALTER PUBLICATION shop ADD TABLE late")
        with Courier(one, sinks=("null",), source__shutdown_grace="3s") as pipeline:
            process = pipeline.run_streaming()
            one.wait_confirmed(insert(5, of=one))
            one.sql("ALTER ROLE cdc CONNECTION LIMIT 0")
            one.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'cdc' AND backend_type = 'client backend'")
            one.sql("BEGIN; INSERT INTO orders VALUES (1); INSERT INTO late VALUES (1); COMMIT")  # the key of late is asked for
            process.wait_says("waiting for the second connection")
            started = time.monotonic()
            one.stop("fast", timeout=40)
            require(time.monotonic() - started < 20, f"stopped after {time.monotonic() - started:.0f} s")
            one.start()
            one.sql("ALTER ROLE cdc CONNECTION LIMIT -1")
            one.wait_confirmed(insert(5, of=one), timeout=60)
            process.terminate()


def case_a_lock_is_waited_for_while_the_server_shuts_down():
    """The slot is ours, the files are still those of an instance that hangs: the server need not wait for that."""
    with Postgres(wal_sender_timeout="2s") as one:
        one.sql(PLAIN)
        with Courier(one) as pipeline:
            hanging = pipeline.run_streaming()
            one.wait_confirmed(insert(5, of=one))
            hanging.popen.send_signal(signal.SIGSTOP)
            one.wait_free()
            process = pipeline.run()
            process.wait_says("waiting for a lock")
            insert(5, of=one)
            started = time.monotonic()
            one.stop("fast", timeout=40)
            require(time.monotonic() - started < 20, f"stopped after {time.monotonic() - started:.0f} s")
            one.start()
            hanging.kill()
            one.wait_confirmed(insert(5, of=one), timeout=60)
            process.terminate()
            require(len(pipeline.events()) == 15, f"{len(pipeline.events())} events of 15")


@contextlib.contextmanager
def primary_and_standby(major, **settings):
    with Postgres(major) as primary:
        primary.sql(PLAIN)
        primary.sql("SELECT pg_create_physical_replication_slot('standby', true)")
        primary.stop()
        with ColdStandby(primary, **settings) as standby:
            primary.start()
            yield primary, standby


def case_a_standby_promoted_while_it_streams():
    """Edge cases 11, 16: the walsender lives on, the timeline does not; a healthy pipeline never ends with 66."""
    with primary_and_standby(16) as (primary, standby), \
            Courier(standby, url=standby.url() + "?target_session_attrs=any") as pipeline:
        process = pipeline.run()
        wait_streaming_from(standby, primary, process)
        standby.wait_confirmed(insert(100, of=primary), timeout=30)
        require(pipeline.bookmark()["timeline"] == 1, f"{pipeline.bookmark()}")
        primary.stop()
        standby.promote()
        standby.wait_confirmed(insert(100, of=standby), timeout=30)  # may be before pgcourier notices
        process.wait_says("was promoted")
        wait_for(lambda: pipeline.bookmark()["timeline"] == 2, "the bookmark to follow")
        standby.wait_confirmed(insert(100, of=standby), timeout=30)
        require(process.running(), lambda: f"it ended:\n{process.log()}")
        process.kill()
        pipeline.drain()
        require(len(pipeline.events()) == 300, f"{len(pipeline.events())} events of 300")


def case_a_synchronised_slot_waits_for_its_primary():
    """Edge cases 14, 23: the primary is away for a while, its standby is there: nothing is lost, nobody is needed."""
    with primary_and_standby(17, sync_replication_slots="on") as (primary, standby):
        hosts = f"postgresql://cdc:{PASSWORD}@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/shop?target_session_attrs=any"
        with Courier(primary, url=hosts) as pipeline:
            process = pipeline.run_streaming()
            primary.wait_confirmed(insert(50, of=primary))
            wait_for(lambda: synchronised(standby), "the slot on the standby", 40, every=0.5)
            primary.stop("fast")
            process.wait_says("can be read only after a promotion", timeout=30)
            primary.start()
            primary.wait_active(timeout=60)
            primary.wait_confirmed(insert(50, of=primary), timeout=30)
            require(process.running(), lambda: f"it ended:\n{process.log()}")
            process.terminate()
            require(len(pipeline.events()) == 100, f"{len(pipeline.events())} events of 100")


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
