"""How a run ends, and what it takes with it: orderly, at the deadline, with a sink, a server or a file that is gone; and
what SIGHUP takes over. `ends.py [words]` runs the cases named by the words."""
import contextlib
import json
import os
import resource
import shutil
import signal
import threading
import time

from harness.checker import read_lines
from harness.ports import free_port
from harness.program import cases_of, run_cases
from harness.scenario import Scenario
from harness.shared import Delivery, broker, courier, insert, refused, server
from harness.waiting import TestFailure, lsn, require, wait_for


def closing_lines(process):
    return {line["sink"] for line in process.lines if line.get("msg") == "sink closed"}


def wait_lines(pipeline, count, timeout=20):
    wait_for(lambda: sum(1 for _ in read_lines(pipeline.files, pipeline.name)) >= count, f"{count} lines in the files", timeout)


def ends_within(process, seconds, expected=0):
    started = time.monotonic()
    process.popen.send_signal(signal.SIGTERM)
    process.wait_exit(expected, timeout=seconds + 20)
    took = time.monotonic() - started
    require(took <= seconds, lambda: f"{took:.1f} s instead of {seconds}:\n{process.log()}")


# -- the open file ---------------------------------------------------------------------------------------------------
def case_an_open_file_that_was_removed_is_told():
    """While it is written, and at the next start: never a silent confirmation into nowhere."""
    with courier() as pipeline:
        process = pipeline.run_streaming()
        insert()
        wait_lines(pipeline, 1)
        server().sql("SELECT pg_switch_wal()")  # so that the position moves, and the bookmark with it
        wait_for(lambda: pipeline.bookmark().get("open_file"), "the bookmark to cover the file", 30)
        next(path for path in pipeline.files.iterdir() if path.name.endswith(".open")).unlink()
        insert()
        process.wait_exit(66)
        require(process.says("was removed"), lambda: process.log())
        refused(pipeline, 66, "is gone")


def case_a_finished_file_may_be_taken_away():
    with courier() as pipeline:
        pipeline.set("sinks.0.files.rotate", {"size": "1KiB"})
        process = pipeline.run_streaming()
        insert(50)
        wait_for(lambda: any(path.name.endswith(".jsonl") for path in pipeline.names()), "a finished file")
        process.terminate()
        for path in pipeline.names():
            if path.name.endswith(".jsonl"):
                path.unlink()
        insert(2)
        pipeline.drain()
        require(len(pipeline.events()) >= 2, "the new events are missing")


def case_a_file_that_may_not_grow_waits_like_a_full_disk():
    with courier() as pipeline:
        process = pipeline.start("run", "-c", pipeline.file, prefix=("prlimit", "--fsize=20000:20000"))
        wait_for(lambda: (server().slot(pipeline.settings["source"]["slot"]) or {}).get("active"), "streaming")
        insert(200)
        process.wait_says("ulimit")
        require(process.running(), lambda: process.log())
        # The limit of a running process; nothing was lost meanwhile.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
        process.kill()
        pipeline.drain()
        require(len(pipeline.events()) == 200, f"{len(pipeline.events())} events of 200")


# -- SIGTERM ---------------------------------------------------------------------------------------------------------
def case_a_sink_that_takes_nothing_ends_at_the_deadline_and_says_so():
    with Scenario(sinks=("stdout",)) as scene:
        scene.courier.set("shutdown_timeout", "2s")
        read_end, write_end = os.pipe()
        try:
            process = scene.courier.run_streaming(stdout=write_end)
            os.close(write_end)
            scene.server.sql("INSERT INTO many_00 SELECT g, g, repeat('n', 200) FROM generate_series(1, 5000) g")
            committed = scene.server.value("SELECT pg_current_wal_insert_lsn()::text")
            time.sleep(1)  # so that the pipe is full: nothing tells when
            ends_within(process, 5)
            require(process.says("shutdown_timeout"), lambda: process.log())
            require(closing_lines(process) == {"stdout"}, lambda: process.log())
            scene.server.wait_free()
            require(lsn(scene.server.slot()["confirmed_flush_lsn"]) < lsn(committed), "confirmed what nobody has got")
        finally:
            os.close(read_end)


def case_a_server_that_stands_still_does_not_hold_it():
    with courier() as pipeline:
        pipeline.set("shutdown_timeout", "2s")
        process = pipeline.run_streaming()
        process.wait_says("streaming", "peer")
        walsender = server().slot(pipeline.settings["source"]["slot"])["active_pid"]
        os.kill(walsender, signal.SIGSTOP)
        try:
            ends_within(process, 5)
            require(process.says("did not end the stream"), lambda: process.log())
        finally:
            os.kill(walsender, signal.SIGCONT)


@contextlib.contextmanager
def transaction(statement):
    holder = server().connect(autocommit=False)
    try:
        with holder.cursor() as cursor:
            cursor.execute(statement)
        yield
    finally:
        holder.rollback()
        holder.close()


def waiting_backends():
    return server().sql("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()")


def case_a_slot_under_way_is_nobodys():
    """The walsender that waits to make it does not see us go: it must be told, or the slot keeps WAL for ever."""
    with courier() as pipeline:
        with transaction("SELECT pg_current_xact_id()"):
            process = pipeline.run()
            process.wait_says("creating the replication slot waits", timeout=30)
            ends_within(process, 5)
            wait_for(lambda: not waiting_backends(), "the walsender's end", 5)
        require(not server().slot(pipeline.settings["source"]["slot"]), "the slot was made")


def case_a_look_up_under_way_is_cancelled():
    with courier() as pipeline:
        with transaction("LOCK TABLE pg_publication"):
            process = pipeline.run()
            wait_for(waiting_backends, "a look-up that waits", 20)
            ends_within(process, 5)
            wait_for(lambda: not waiting_backends(), "the look-up's end", 5)


def case_an_unreachable_broker_does_not_hold_it():
    with courier(sinks=({"kafka": {"brokers": f"127.0.0.1:{free_port()}"}},)) as pipeline:
        pipeline.set("shutdown_timeout", "1s")
        process = pipeline.run()
        process.wait_says("starting")
        time.sleep(2)  # into librdkafka's wait for a broker
        ends_within(process, 4)


def case_a_folder_that_is_gone_is_told_at_the_end():
    """Its events can't be confirmed any more, and the exit is not 0."""
    with courier() as pipeline:
        process = pipeline.run_streaming()
        insert()
        wait_lines(pipeline, 1)
        shutil.rmtree(pipeline.files)
        process.popen.send_signal(signal.SIGTERM)
        code = process.wait_exit(None)
        require(code != 0 and any(line.get("level") == "error" for line in process.lines), lambda: f"{code}\n{process.log()}")


def case_a_reader_that_leaves_ends_every_sink_in_order():
    with courier(sinks=("stdout", "files")) as pipeline:
        read_end, write_end = os.pipe()
        process = pipeline.run_streaming(stdout=write_end)
        os.close(write_end)
        os.close(read_end)
        before = len(server().log_tail(1 << 20).split("unexpected EOF on standby connection"))
        insert(3)
        process.wait_exit(0)
        require(closing_lines(process) == {"stdout", "files"}, lambda: process.log())
        after = len(server().log_tail(1 << 20).split("unexpected EOF on standby connection"))
        require(after == before, "the server saw the connection break")


def whole_lines(text):
    """All of them JSON, or TestFailure."""
    require(text.endswith(b"\n"), lambda: f"the last line is torn: {text[-80:]}")
    lines = text.splitlines()
    for line in lines:
        try:
            json.loads(line)
        except ValueError:
            raise TestFailure(f"no JSON: {line[:80]} … {line[-80:]}") from None
    return lines


def read_slowly(descriptor, text):
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while piece := file.read(20_000):
            text += piece
            time.sleep(0.002)


def case_stdout_has_whole_lines_only_however_sessions_end():
    """A slow reader, and sessions that the server ends in the middle of a line: of a short one, and of one that no pipe
    takes at once."""
    for rows, note in ((3000, "n" * 200), (3, "n" * 300_000)):
        with courier(sinks=("stdout",)) as pipeline:
            slot = pipeline.settings["source"]["slot"]
            pipeline.set("shutdown_timeout", "2s")
            read_end, write_end = os.pipe()
            process = pipeline.run_streaming(stdout=write_end)
            os.close(write_end)
            insert(rows, note=note)
            for _ in range(2):
                time.sleep(1)  # so that the pipe is full: nothing tells when
                before = server().slot(slot)["active_pid"]
                server().sql("SELECT pg_terminate_backend(%s)", before)
                wait_for(lambda: server().slot(slot)["active_pid"] not in (None, before), "the next session")
            text = bytearray()
            reader = threading.Thread(target=read_slowly, args=(read_end, text), daemon=True)
            reader.start()
            committed = server().value("SELECT pg_current_wal_insert_lsn()::text")
            server().wait_confirmed(committed, slot, timeout=60)
            process.terminate()
            reader.join(10)
            lines = whole_lines(bytes(text))
            ids = {json.loads(line)["after"]["id"] for line in lines}
            require(len(ids) == rows, lambda: f"{len(ids)} rows of {rows} in {len(lines)} lines:\n{process.log()}")
            server().wait_free(slot)


# -- exit codes of a first session -----------------------------------------------------------------------------------
def case_66_in_the_session_that_wrote_the_first_bookmark():
    with Delivery("CREATE TABLE t (id int PRIMARY KEY)", "FOR TABLE t") as case:
        slot = case.schema
        shutil.rmtree(case.courier.files)
        case.courier.files.mkdir()
        process = case.courier.run_streaming()
        case.server.sql(f"DROP PUBLICATION {slot}")
        case.sql("INSERT INTO t VALUES (1)")
        process.wait_exit(66)


def case_78_create_publication_beside_an_older_slot():
    with Delivery("CREATE TABLE t (id int PRIMARY KEY)", None) as case:
        case.courier.set("source.create_publication", True)
        case.courier.set("source.tables", [f"{case.schema}.t"])
        refused(case.courier, 78, "too late")
        require(not case.sql("SELECT 1 FROM pg_publication WHERE pubname = current_schema()"), "it was made")


def case_a_publication_is_made_before_its_slot():
    """Seen while the slot waits for a transaction to end: a slot without its publication can't decode what comes between."""
    with courier() as pipeline:
        pipeline.set("source.create_publication", True)
        pipeline.set("source.publication", "made_before")
        pipeline.set("source.url", server().url(user="postgres"))  # the owner of the table
        pipeline.set("source.tables", ["public.orders"])
        with transaction("SELECT pg_current_xact_id()"):
            process = pipeline.run()
            process.wait_says("creating the replication slot waits")
            require(server().sql("SELECT 1 FROM pg_publication WHERE pubname = 'made_before'"), "it is not there yet")
        process.wait_says('"streaming"')
        process.terminate()
        server().sql("DROP PUBLICATION made_before")


def case_77_leaves_no_publication_behind():
    with courier() as pipeline:
        pipeline.set("source.create_publication", True)
        pipeline.set("source.publication", "left_behind")
        pipeline.set("source.tables", ["public.orders"])
        pipeline.set("sinks.0.files.directory", "/proc/nowhere")
        refused(pipeline, 77)
        require(not server().sql("SELECT 1 FROM pg_publication WHERE pubname = 'left_behind'"), "it was left behind")


# -- SIGHUP ----------------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def role(name, password):
    server().sql(f"CREATE ROLE {name} LOGIN REPLICATION PASSWORD '{password}'; GRANT SELECT ON orders TO {name}")
    yield
    server().sql(f"DROP OWNED BY {name}; DROP ROLE {name}")


def case_sighup_takes_a_password_out_of_the_url():
    with role("rotated", "first"), courier() as pipeline:
        secret = pipeline.folder / "secret"
        secret.write_text("first")
        pipeline.set("source.url", server().url(user="rotated").replace("rotated@", f"rotated:${{file:{secret}}}@"))
        process = pipeline.run_streaming()
        server().sql("ALTER ROLE rotated PASSWORD 'second'")
        secret.write_text("second")
        process.popen.send_signal(signal.SIGHUP)
        process.wait_says("settings read again")
        slot = pipeline.settings["source"]["slot"]
        first = server().slot(slot)["active_pid"]
        server().sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotated'")
        wait_for(lambda: (server().slot(slot) or {}).get("active_pid") not in (None, first) or not process.running(),
                 "the next session")
        require(process.running(), lambda: process.log())
        process.terminate()
        server().wait_free(slot)


def case_sighup_with_a_bad_filter_changes_nothing():
    with courier() as pipeline:
        process = pipeline.run_streaming()
        process.wait_says("streaming")
        pipeline.set("source.tables", ["re:("])
        pipeline.set("log.level", "error")
        pipeline.file  # writes it
        process.popen.send_signal(signal.SIGHUP)
        process.wait_says("the old ones stay")
        require(not process.says("settings read again"), lambda: process.log())
        process.terminate()
        require(closing_lines(process), "the log level had changed")


# -- the second connection, and topics -------------------------------------------------------------------------------
def case_a_lost_second_connection_does_not_end_the_session():
    with Delivery("CREATE TYPE mood AS ENUM ('happy'); CREATE TABLE t (id int PRIMARY KEY)", None) as case:
        case.sql(f"CREATE PUBLICATION {case.schema} FOR ALL TABLES")
        case.server.sql("SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", case.schema)
        process = case.courier.run_streaming()
        walsender = case.server.slot(case.schema)["active_pid"]
        case.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE application_name = %s AND backend_type = 'client backend'", case.courier.name)
        case.sql("CREATE TABLE other (id int PRIMARY KEY, feeling mood)", "INSERT INTO other VALUES (1, 'happy')")
        wait_lines(case.courier, 1)
        require(case.server.slot(case.schema)["active_pid"] == walsender, lambda: f"another session:\n{process.log()}")
        process.terminate()


def case_topics_are_there_before_the_first_row():
    with courier(sinks=("kafka",)) as pipeline:
        process = pipeline.run_streaming()
        topic = f"{pipeline.name}.public.orders"
        wait_for(lambda: topic in broker().topics_tool("--list"), f"topic {topic}")
        process.terminate()


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
