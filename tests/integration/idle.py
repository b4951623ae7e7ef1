"""Waiting well: idle publications, stalled sinks, stopping, standing by, and how soon a commit is in the file."""
import fcntl
import os
import signal
import threading
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from harness.checker import check_files
from harness.program import cases_of, run_cases
from harness.scenario import Scenario
from harness.shared import broker, courier, insert, server
from harness.truth import Truth
from harness.waiting import TestFailure, lsn, require, wait_for
from harness.workload import Workload


def case_idle_publication_beside_busy_tables():
    """Edge cases 1, 19: what is not published moves the slot all the same."""
    server().sql("CREATE TABLE IF NOT EXISTS busy (a text)")
    with courier() as pipeline:
        process = pipeline.run_streaming()
        insert(1)
        for _ in range(2):
            server().sql("INSERT INTO busy SELECT repeat('x', 500) FROM generate_series(1, 20000)")
            position = server().value("SELECT pg_current_wal_insert_lsn()::text")
            server().wait_confirmed(position, pipeline.settings["source"]["slot"], timeout=30)
        bookmark = pipeline.bookmark()
        slot = server().slot(pipeline.settings["source"]["slot"])
        require(lsn(bookmark["position"]) >= lsn(slot["confirmed_flush_lsn"]), f"{bookmark} behind {slot}")
        process.terminate()
        pipeline.drain()
        require(len(pipeline.events()) == 1, "events out of nothing")


def case_heartbeat():
    """source.heartbeat: WAL that has nothing for us is confirmed sooner than silence alone would; the message is no event,
    and none is written while nothing happens."""
    def written():
        return server().value("SELECT count(*) FROM pg_logical_slot_peek_binary_changes('beside', NULL, NULL, "
                              "'proto_version', '1', 'publication_names', 'shop', 'messages', 'true') "
                              "WHERE position('pgcourier.heartbeat'::bytea IN data) > 0")

    server().sql("CREATE TABLE IF NOT EXISTS busy (a text)")
    server().sql("SELECT pg_create_logical_replication_slot('beside', 'pgoutput')")
    try:
        with courier(source__heartbeat="500ms") as pipeline:
            process = pipeline.run_streaming()
            insert(1)
            server().wait_confirmed(server().value("SELECT pg_current_wal_insert_lsn()::text"),
                                    pipeline.settings["source"]["slot"], timeout=30)
            before = written()
            server().sql("INSERT INTO busy VALUES ('x')")
            position = server().value("SELECT pg_current_wal_insert_lsn()::text")
            server().wait_confirmed(position, pipeline.settings["source"]["slot"], timeout=6)
            wait_for(lambda: written() > before, "a heartbeat", 10)
            process.terminate()
            pipeline.drain()
            require(len(pipeline.events()) == 1, "a heartbeat is an event")
            require(written() - before < 10, f"{written() - before} heartbeats for one transaction")
    finally:
        server().sql("SELECT pg_drop_replication_slot('beside')")


def same_session_for(seconds, pipeline, process):
    """The same walsender serves us all the time, and nothing moves the confirmed position past what is durable."""
    slot = pipeline.settings["source"]["slot"]
    walsender = pipeline.server.wait_active(slot)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        require(process.running(), lambda: f"it ended:\n{process.log()}")
        require(pipeline.server.slot(slot)["active_pid"] == walsender,
                lambda: f"the session was lost:\n{process.log()}\n{pipeline.server.log_tail()}")
        time.sleep(0.1)


def case_stalled_stdout_keeps_answering():
    """Edge cases 7, 8, 95: a full pipe for longer than wal_sender_timeout, behind a large transaction."""
    with Scenario(sinks=("stdout",), server_settings={"wal_sender_timeout": "3s"}, source__silence_timeout="2s") as scene:
        pipeline, (read_end, write_end) = scene.courier, os.pipe()
        process = pipeline.run_streaming(stdout=write_end)
        os.close(write_end)
        scene.server.sql("INSERT INTO many_00 SELECT g, g, repeat('n', 200) FROM generate_series(1, 60000) g")
        committed = scene.server.value("SELECT pg_current_wal_insert_lsn()::text")
        same_session_for(8, pipeline, process)
        require(lsn(scene.server.slot()["confirmed_flush_lsn"]) < lsn(committed), "confirmed what nobody has got")
        require(not process.says("silent"), lambda: f"the server is not silent where nobody reads:\n{process.log()}")
        written, flushed = scene.server.sql("SELECT write_lsn, flush_lsn FROM pg_stat_replication")[0]
        require(flushed is None or written is None or lsn(written) >= lsn(flushed), f"write {written} flush {flushed}")
        lines = Lines(read_end)
        wait_for(lambda: lines.count >= 60000, lambda: f"{lines.count} lines of 60000", 60)
        peak = process.peak_mib()
        process.terminate()
        print(f"      peak memory {peak:.0f} MiB, {lines.count} lines")
        require(peak < 64, f"{peak:.0f} MiB")


class Lines(threading.Thread):
    def __init__(self, descriptor):
        super().__init__(daemon=True)
        self.file = os.fdopen(descriptor, "rb")
        self.count = 0
        self.start()

    def run(self):
        for _ in self.file:
            self.count += 1


def case_stalled_broker_keeps_answering():
    """kill -STOP of the broker for longer than wal_sender_timeout."""
    with Scenario(sinks=("files", "kafka"), server_settings={"wal_sender_timeout": "3s"}) as scene:
        process = scene.courier.run_streaming()
        with Workload(scene.server, 11, writers=2, rate=40) as load:
            load.wait_commits(60)
            scene.broker.pause()
            try:
                position = scene.server.value("SELECT pg_current_wal_insert_lsn()::text")
                same_session_for(8, scene.courier, process)
                require(lsn(scene.server.slot()["confirmed_flush_lsn"]) <= lsn(position),
                        "confirmed past what the stopped broker can have taken")
            finally:
                scene.broker.resume()
            load.stop()
        scene.server.wait_confirmed(scene.server.value(
            "SELECT pg_logical_emit_message(true, 'end', '')::text"), timeout=60)
        require(process.running(), lambda: f"it ended:\n{process.log()}")
        process.terminate()
        scene.courier.drain()
        scene.verify(events=200)


def case_a_lock_that_is_busy_keeps_the_slot():
    """It is waited for, for longer than wal_sender_timeout, with the slot in our hands."""
    with Scenario(server_settings={"wal_sender_timeout": "2s"}) as scene:
        with open(scene.courier.files / "shop.lock", "w") as lock:
            lock.write("shop 4711\n")
            lock.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = scene.courier.run_streaming()
            process.wait_says("waiting for a lock", "4711")
            same_session_for(6, scene.courier, process)
            require(not process.says('"streaming"'), lambda: process.log())
        process.wait_says('"streaming"')
        process.terminate()


def case_a_long_decode_is_no_death():
    """A walsender that says nothing, as in a long decode: the second connection sees that it is there."""
    with courier(source__silence_timeout="2s") as pipeline:
        process = pipeline.run_streaming()
        process.wait_says('"streaming"')
        slot = pipeline.settings["source"]["slot"]
        walsender = server().wait_active(slot)
        os.kill(walsender, signal.SIGSTOP)
        try:
            process.wait_says("silent, but its walsender is there")
        finally:
            os.kill(walsender, signal.SIGCONT)
        server().wait_confirmed(insert(1), slot)
        require(server().slot(slot)["active_pid"] == walsender, lambda: f"the session was lost:\n{process.log()}")
        process.terminate()


def case_until_lsn_now():
    with courier() as pipeline:
        pipeline.start("slot", "create", "-c", pipeline.file).wait_exit(0)
        position = insert(1000)
        started = time.monotonic()
        process = pipeline.drain()
        require(len(pipeline.events()) == 1000, f"{len(pipeline.events())} events")
        confirmed = server().slot(pipeline.settings["source"]["slot"])["confirmed_flush_lsn"]
        require(lsn(confirmed) >= lsn(position), f"confirmed {confirmed}, committed {position}")
        require(process.says("confirmed_lsn"), "no last log line")
        pipeline.drain()
        require(time.monotonic() - started < 15, "an idle run until now took long")


def case_sigterm_drains_and_confirms():
    """Edge cases 2, 97: what was taken over is confirmed at the end of a transaction; SIGINT is the same."""
    for with_signal in (signal.SIGTERM, signal.SIGINT):
        with Scenario() as scene:
            process = scene.courier.run_streaming()
            with Workload(scene.server, 13, writers=3, rate=0) as load:
                load.wait_commits(200, timeout=60)
                process.popen.send_signal(with_signal)
                process.wait_exit(0, 35)
                load.stop()
            scene.server.wait_free()
            confirmed = lsn(scene.server.slot()["confirmed_flush_lsn"])
            require(scene.courier.durable_lsn() <= confirmed, "data in the files is not confirmed")
            require(scene.courier.durable_lsn() > 0, "no data")
            check_files(scene.courier.files, Truth.of(scene.server), complete=False)
            scene.courier.drain()
            scene.verify(events=200)


def case_second_signal_ends_at_once():
    with Scenario(sinks=("stdout",)) as scene:
        read_end, write_end = os.pipe()
        process = scene.courier.run_streaming(stdout=write_end)
        os.close(write_end)
        scene.server.sql("INSERT INTO many_00 SELECT g, g, repeat('n', 200) FROM generate_series(1, 20000) g")
        time.sleep(1)
        process.popen.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        if process.running():
            process.popen.send_signal(signal.SIGTERM)
        process.wait_exit(None, 3)
        os.close(read_end)


def case_reader_of_stdout_goes_away():
    """EPIPE ends it in order, with nothing confirmed that was not written."""
    with Scenario(sinks=("stdout",)) as scene:
        read_end, write_end = os.pipe()
        process = scene.courier.run_streaming(stdout=write_end)
        os.close(write_end)
        os.close(read_end)
        before = scene.server.value("SELECT pg_current_wal_insert_lsn()::text")
        scene.server.sql("INSERT INTO many_00 VALUES (1)")
        process.wait_exit(None, 30)
        require(process.popen.returncode >= 0, f"killed by signal {-process.popen.returncode}")
        require(lsn(scene.server.slot()["confirmed_flush_lsn"]) <= lsn(before), "confirmed what nobody got")


def case_two_instances_on_one_slot():
    """Edge case 13: the second waits as a warm standby, is ready, and takes over when the first is gone."""
    with Scenario(http=True) as scene:
        first = scene.courier.run_streaming(env={"PGCOURIER_HTTP__LISTEN": ""})
        walsender = scene.server.wait_active()
        second = scene.courier.run()
        with Workload(scene.server, 17, writers=2, rate=40) as load:
            load.wait_commits(40)
            scene.courier.wait_ready()
            require(second.running() and scene.server.slot()["active_pid"] == walsender, "the second did not wait")
            for end in ("kill", "terminate"):
                getattr(first, end)()
                gone = time.monotonic()
                wait_for(lambda: (scene.server.slot()["active_pid"] or walsender) != walsender, "the take-over", 10)
                print(f"      taken over {time.monotonic() - gone:.2f} s after {end}", flush=True)
                walsender = scene.server.slot()["active_pid"]
                load.wait_commits(40)
                first, second = second, scene.courier.run(env={"PGCOURIER_HTTP__LISTEN": ""})
                wait_for(lambda: second.says("slot") or second.lines, "the new second to start")
            load.stop()
        second.terminate()
        first.terminate()
        scene.courier.drain()
        scene.verify(events=200)


def latencies(pipeline, count):
    """Milliseconds from the return of COMMIT to the line in the file, at 1 transaction a second."""
    connection, out, known = server().connect(), [], 0
    with connection.cursor() as cursor:
        for number in range(count):
            cursor.execute("INSERT INTO orders VALUES (%s, 1, 'latency')", (-number - 1 - int(time.time() * 1000) % 10**8 * 10,))
            committed = time.monotonic()
            while True:
                size = sum(path.stat().st_size for path in pipeline.names())
                if size > known:
                    break
                if time.monotonic() - committed > 10:
                    raise TestFailure("nothing in the file after 10 s")
                time.sleep(0.0005)
            out.append((time.monotonic() - committed) * 1000)
            known = size
            time.sleep(max(0.0, 1 - (time.monotonic() - committed)))
    connection.close()
    return sorted(out)


def case_latency_at_one_transaction_a_second():
    with courier() as pipeline:
        process = pipeline.run_streaming()
        # What else the machine does only adds to it: a bad hundred is measured once more.
        for _ in range(2):
            found = latencies(pipeline, 100)
            p99 = found[98]
            print(f"      commit to file: median {found[50]:.1f} ms, p99 {p99:.1f} ms, max {found[-1]:.1f} ms", flush=True)
            if p99 <= 50:
                break
        require(p99 <= 50, f"p99 {p99:.1f} ms, twice")
        process.terminate()


def case_a_quiet_stream_does_not_linger_in_kafka():
    """The default linger.ms of 50 is for busy streams."""
    with courier(sinks=("kafka",)) as pipeline:
        process, topic = pipeline.run_streaming(), f"{pipeline.name}.public.orders"
        consumer = Consumer({"bootstrap.servers": broker().bootstrap, "group.id": "latency", "fetch.wait.max.ms": 10})
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(6)])
        found = []
        for _ in range(22):
            insert(1)
            committed = time.monotonic()
            require(consumer.poll(20) is not None, "nothing in Kafka after 20 s")
            found.append((time.monotonic() - committed) * 1000)
            time.sleep(0.2)
        consumer.close()
        found = sorted(found[1:])  # the first waits for the consumer to find its way
        print(f"      commit to consumer: median {found[10]:.1f} ms, max {found[-1]:.1f} ms", flush=True)
        require(found[10] < 40, f"median {found[10]:.1f} ms")
        process.terminate()


def case_confirmed_position_never_falls():
    """Edge case 6: sampled through three sessions under load."""
    with Scenario() as scene:
        highest, samples = 0, 0
        scene.courier.start("slot", "create", "-c", scene.courier.file).wait_exit(0)
        with Workload(scene.server, 19, writers=3, rate=0) as load:
            for _ in range(3):
                process = scene.courier.run_streaming()
                until = time.monotonic() + 2
                while time.monotonic() < until:
                    now = lsn(scene.server.slot()["confirmed_flush_lsn"])
                    require(now >= highest, f"confirmed_flush fell from {highest:X} to {now:X}")
                    highest, samples = now, samples + 1
                process.kill()
                scene.server.wait_free()
            load.stop()
        scene.courier.drain()
        print(f"      {samples} samples")
        scene.verify(events=200)


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
