"""What `source.streaming` costs and gives: the same large transactions to a pipeline with it and one without, in turn. Printed
for each kind of transaction and each setting: seconds from COMMIT until the sink has all and the server was told, CPU seconds
of the walsender and of pgcourier, bytes that the server put on its disk for it and that it sent early, pgcourier's peak memory.
`streaming.py --runs 5 --rows 1000000 --sink null`."""
import argparse
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from harness.courier import Courier  # noqa: E402
from harness.postgres import Postgres  # noqa: E402
from harness.waiting import wait_for  # noqa: E402

SCHEMA = """
CREATE TABLE t (id bigint PRIMARY KEY, customer int, note text);
CREATE PUBLICATION shop FOR TABLE t;
GRANT ALL ON SCHEMA public TO cdc;
"""
# Of each ten savepoints so many are rolled back; `outcome` is the end of the whole.
KINDS = {"committed": (0, "COMMIT"), "a fifth rolled back": (2, "COMMIT"), "all rolled back": (0, "ROLLBACK")}
ROWS_OF_SAVEPOINT = 10_000
STREAMED = "SELECT spill_bytes, stream_bytes FROM pg_stat_replication_slots WHERE slot_name = 'shop'"
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def write(server, rows, undone, outcome):
    """Returns when the transaction has ended."""
    connection = server.connect()
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        for number in range(rows // ROWS_OF_SAVEPOINT):
            first = number * ROWS_OF_SAVEPOINT + 1
            cursor.execute("SAVEPOINT s")
            cursor.execute("INSERT INTO t SELECT g, mod(g, 7919), repeat('x', 100) FROM generate_series(%s, %s) g",
                           (first, first + ROWS_OF_SAVEPOINT - 1))
            cursor.execute("ROLLBACK TO s; RELEASE s" if number % 10 < undone else "RELEASE s")
        cursor.execute(outcome)
    connection.close()


def measure(server, sink, streaming, rows, kind):
    server.sql("TRUNCATE t")
    with Courier(server, (sink,), source__streaming=streaming) as pipeline:
        pipeline.start("slot", "create", "-c", pipeline.file).wait_exit(0)
        process = pipeline.run_streaming()
        walsender = server.slot()["active_pid"]
        before, own_before = cpu_seconds(walsender), cpu_seconds(process.pid)
        started = time.monotonic()
        write(server, rows, *KINDS[kind])
        committed = time.monotonic()
        position = server.value("SELECT pg_current_wal_insert_lsn()::text")
        wait_for(lambda: server.slot()["confirmed_flush_lsn"] is not None and server.value(
            "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = 'shop'", position),
            "all to be confirmed", 600, every=0.02)
        seconds = time.monotonic() - committed
        found = {"writing s": committed - started, "behind COMMIT s": seconds,
                 "walsender CPU s": cpu_seconds(walsender) - before,
                 "pgcourier CPU s": cpu_seconds(process.pid) - own_before, "peak MiB": process.peak_mib()}
        process.terminate()
        server.wait_free()
        server_spilled, streamed = server.sql(STREAMED)[0]
        found |= {"server spilled MB": float(server_spilled) / 1e6, "streamed MB": float(streamed) / 1e6}
    server.sql("SELECT pg_drop_replication_slot('shop')")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sink", choices=["null", "files"], default="null")
    options = parser.parse_args()
    # The server's own default of logical_decoding_work_mem: 64 MB.
    with Postgres(shared_buffers="256MB", max_wal_size="8GB", checkpoint_timeout="1h") as server:
        server.sql(SCHEMA)
        for kind in KINDS:
            results = {"on": [], "off": []}
            for _ in range(options.runs):
                for streaming, runs in results.items():
                    runs.append(measure(server, options.sink, streaming, options.rows, kind))
            print(f"\n{options.rows} rows, {kind}; median of {options.runs} (lowest - highest)", flush=True)
            for what in results["on"][0]:
                row = [f"{statistics.median(values):.2f} ({min(values):.2f} - {max(values):.2f})"
                       for values in ([run[what] for run in runs] for runs in results.values())]
                print(f"  {what:22} on {row[0]:32} off {row[1]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
