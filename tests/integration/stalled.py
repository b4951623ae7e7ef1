"""A sink that takes nothing, and a transaction larger than all memory behind it: the session lives on though wal_sender_timeout
is 5 s, memory stays bounded, `pg_ctl stop -m fast` ends within source.shutdown_grace, and afterwards all is delivered. Once for each
kind of sink. `stalled.py [words]` runs the cases named by the words."""
import os
import resource
import threading
import time

from harness.checker import read_topics
from harness.courier import Courier
from harness.postgres import Postgres
from harness.program import cases_of, run_cases
from harness.proxy import Proxy
from harness.shared import PLAIN, broker
from harness.waiting import lsn, require, wait_for

ROWS = 200_000
GRACE_SECONDS = 2
# Streamed while it is in progress, so that our memory and not the server's is what it could fill.
SETTINGS = {"wal_sender_timeout": "5s", "logical_decoding_work_mem": "64kB"}


def same_session_for(seconds, pipeline, process):
    walsender, until = pipeline.server.wait_active(), time.monotonic() + seconds
    while time.monotonic() < until:
        require(process.running(), lambda: f"it ended:\n{process.log()}")
        require(pipeline.server.slot()["active_pid"] == walsender,
                lambda: f"the session was lost:\n{process.log()}\n{pipeline.server.log_tail()}")
        time.sleep(0.1)


def stalled(sink, how, limit_mib, **settings):
    """`how(pipeline)` gives a started process and what ends the stall; then the events delivered."""
    with Postgres(**SETTINGS) as server:
        server.sql(PLAIN)
        with Courier(server, sinks=(sink,), brokers=broker().bootstrap if sink == "kafka" else None,
                     source__shutdown_grace=f"{GRACE_SECONDS}s", **settings) as pipeline:
            process, stall, resume, count = how(pipeline)
            stall()
            try:
                server.sql(f"INSERT INTO orders SELECT g, g, repeat('n', 200) FROM generate_series(1, {ROWS}) g")
                committed = server.value("SELECT pg_current_wal_insert_lsn()::text")
                same_session_for(7, pipeline, process)
                require(lsn(server.slot()["confirmed_flush_lsn"]) < lsn(committed), "confirmed what nobody has got")
                started = time.monotonic()
                server.stop()
                seconds = time.monotonic() - started
                process.wait_says("did not drain within source.shutdown_grace")
                # Noticed and asked once a second; the rest is the server's own.
                require(seconds < GRACE_SECONDS + 8, f"the server's fast shutdown took {seconds:.1f} s")
            finally:
                resume()
            server.start()
            server.wait_confirmed(committed, timeout=120)
            wait_for(lambda: count() >= ROWS, lambda: f"{count()} rows of {ROWS}\n{process.log()}", every=0.5)
            peak = process.peak_mib()
            process.terminate()
            print(f"      peak memory {peak:.0f} MiB, {count()} rows, the server stopped in {seconds:.1f} s", flush=True)
            require(peak < limit_mib, f"peak memory {peak:.0f} MiB")


def case_files():
    """A file that may not grow, as a full disk; nor could what is spilled, so the transaction is not streamed here."""
    def how(pipeline):
        process = pipeline.run_streaming()

        def limit(size):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        return (process, lambda: limit(20_000), lambda: limit(resource.RLIM_INFINITY),
                lambda: sum(path.read_bytes().count(b"\n") for path in pipeline.names()))
    stalled("files", how, limit_mib=64, source__streaming="off")


def run_unread(pipeline):
    """A process whose stdout nobody reads, and what begins to; then the lines that came."""
    read_end, write_end = os.pipe()
    process = pipeline.run_streaming(stdout=write_end)
    os.close(write_end)
    lines = set()  # stdout has no bookmark: what was written before a session ended comes again

    def read():
        with os.fdopen(read_end, "rb") as pipe:
            lines.update(pipe)
    return process, threading.Thread(target=read, daemon=True).start, lines


def case_stdout():
    def how(pipeline):
        process, read, lines = run_unread(pipeline)
        return process, lambda: None, read, lambda: len(lines)
    stalled("stdout", how, limit_mib=64)


def case_lost_connection():
    """Noticed by the status messages alone, for nothing is read; with RST, and with FIN."""
    with Postgres(**SETTINGS) as server, Proxy(server.port) as proxy:
        server.sql(PLAIN)
        for reset in (True, False):
            with Courier(server, sinks=("stdout",), url=server.url(port=proxy.port)) as pipeline:
                process, read, lines = run_unread(pipeline)
                server.sql(f"INSERT INTO orders SELECT g, g, repeat('n', 200) FROM generate_series(1, {ROWS}) g")
                committed = server.value("SELECT pg_current_wal_insert_lsn()::text")
                process.wait_says("can make no progress")
                require(proxy.cut(reset) > 0, "no connection went through the proxy")
                process.wait_says("was lost while a sink was waited for", timeout=15)
                read()
                server.wait_confirmed(committed, timeout=60)
                require(len(lines) == ROWS, lambda: f"{len(lines)} rows of {ROWS}")
                process.terminate()
            server.sql("TRUNCATE orders")
            server.wait_free()
            server.sql("SELECT pg_drop_replication_slot('shop')")


def kafka(delivery):
    def how(pipeline):
        process = pipeline.run()
        process.wait_says("streaming")

        def count():
            records, _ = read_topics(broker().bootstrap, pipeline.name)
            keys = {record.key for record in records}
            require(delivery == "at_least_once" or len(records) == len(keys), f"{len(records)} records of {len(keys)} rows")
            return len(keys)
        return process, broker().pause, broker().resume, count
    stalled("kafka", how, limit_mib=96, name=f"stalled-{delivery}", sinks__0__kafka__delivery=delivery)


def case_kafka():
    kafka("at_least_once")


def case_kafka_exactly_once():
    kafka("exactly_once")


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
