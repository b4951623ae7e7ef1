"""What draining a slot costs: pg_recvlogical to /dev/null beside pgcourier to null, files and Kafka, interleaved, each
run on its own copy of the slot. `bench.py --runs 5 --rows 1000000 --only null,files,kafka,kafka_once,large`."""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from harness.checker import read_lines, read_topics  # noqa: E402
from harness.courier import BINARY, Courier, Process  # noqa: E402
from harness.kafka_broker import KafkaBroker  # noqa: E402
from harness.postgres import DEBIAN, Postgres  # noqa: E402
from harness.waiting import lsn, require  # noqa: E402

ROWS_PER_TRANSACTION = 10
PEAK_MIB = 64_000_000 / 2**20
FLOORS = {"null": 1.0, "files": 1.0, "kafka": 0.7, "kafka_once": 0.6}  # times pg_recvlogical
SINKS = tuple(FLOORS)  # kafka_once: delivery: exactly_once
CPU_SECONDS_PER_MILLION = 5.0
WATCH_SECONDS = 0.1  # between two looks at confirmed_flush

SCHEMA = """
CREATE TABLE measured (id bigint PRIMARY KEY, customer int, amount numeric(10,2), placed timestamptz, note text);
CREATE TABLE large (LIKE measured INCLUDING ALL);
CREATE PUBLICATION measured FOR TABLE measured;
CREATE PUBLICATION large FOR TABLE large;
CREATE PROCEDURE fill(transactions int, size int) LANGUAGE plpgsql AS $$
BEGIN
  FOR t IN 0 .. transactions - 1 LOOP
    INSERT INTO measured SELECT t::bigint * size + g, g * 7919, (t % 100000) / 100.0, now(), rpad('note ' || g, 100, 'x')
    FROM generate_series(1, size) g;
    COMMIT;
  END LOOP;
END $$;
"""


class Watch(threading.Thread):
    """The longest time for which confirmed_flush stood still, from its first move until nothing was left."""

    def __init__(self, server, slot, end):
        super().__init__(daemon=True)
        self.connection = server.connect()
        self.slot = slot
        self.end = end
        self.longest = 0.0
        self.ending = threading.Event()
        self.start()

    def run(self):
        cursor, moved, last, first = self.connection.cursor(), time.monotonic(), None, None
        while not self.ending.wait(WATCH_SECONDS):
            cursor.execute("SELECT confirmed_flush_lsn, active FROM pg_replication_slots WHERE slot_name = %s", (self.slot,))
            position, active = cursor.fetchone()
            now = time.monotonic()
            first = first or position
            if position == first or not active or position != last or lsn(position) >= self.end:
                moved, last = now, position
            self.longest = max(self.longest, now - moved)
        self.connection.close()


def high_water_mark(pid):
    """Peak resident memory in MiB."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


class Run:
    """One measured run: seconds, CPU seconds, peak MiB, and what was found afterwards."""

    def __init__(self, popen, started):
        # ru_maxrss would begin with the memory of this Python, from before exec: VmHWM begins with the program.
        self.peak, pid = 0, 0
        while not pid:
            self.peak = max(self.peak, high_water_mark(popen.pid))
            time.sleep(0.01)
            pid, status, usage = os.wait4(popen.pid, os.WNOHANG)
        self.seconds = time.monotonic() - started
        popen.returncode = os.waitstatus_to_exitcode(status)
        self.cpu = usage.ru_utime + usage.ru_stime
        self.stood_still = 0.0
        self.fsyncs = None


class Bench:
    def __init__(self, rows, large_rows):
        self.rows, self.large_rows, self.number = rows, large_rows, 0
        self.server = Postgres(shared_buffers="256MB", max_wal_size="8GB", max_replication_slots="20",
                               checkpoint_timeout="1h", bgwriter_lru_maxpages="0")
        self.server.__enter__()
        self.broker = None
        self.checksums = {}

    def close(self):
        if self.broker:
            self.broker.close()
        self.server.remove()

    def fill(self, wanted):
        started = time.monotonic()
        self.server.sql(SCHEMA)
        self.server.sql("SELECT pg_create_logical_replication_slot('base', 'pgoutput')")
        if wanted & set(SINKS):
            connection = self.server.connect()
            with connection.cursor() as cursor:
                cursor.execute("SET synchronous_commit = off")
                cursor.execute("CALL fill(%s, %s)", (self.rows // ROWS_PER_TRANSACTION, ROWS_PER_TRANSACTION))
            connection.close()
        self.end = self.server.value("SELECT pg_current_wal_insert_lsn()::text")
        self.server.sql("SELECT pg_create_logical_replication_slot('base_large', 'pgoutput')")
        if "large" in wanted:
            self.server.sql("INSERT INTO large SELECT g, g, g / 100.0, now(), rpad('note', 100, 'x') "
                            "FROM generate_series(1, %s) g", self.large_rows)
        self.large_end = self.server.value("SELECT pg_current_wal_insert_lsn()::text")
        self.server.sql("CHECKPOINT")  # WAL behind the end: everybody's stream goes past it at once
        width = self.server.value("SELECT coalesce(avg(pg_column_size(m)), 0)::int FROM (SELECT m FROM measured m LIMIT 1000) m")
        print(f"{self.rows} rows of {width} bytes in {self.rows // ROWS_PER_TRANSACTION} transactions, written in "
              f"{time.monotonic() - started:.0f} s; PostgreSQL 15, {os.cpu_count()} cores, loopback TCP", flush=True)

    def slot(self, base):
        self.number += 1
        name = f"run_{self.number}"
        self.server.sql("SELECT pg_copy_logical_replication_slot(%s, %s)", base, name)
        return name

    def drop(self, slot):
        self.server.wait_free(slot)
        self.server.sql("SELECT pg_drop_replication_slot(%s)", slot)

    def pg_recvlogical(self, large=False):
        slot = self.slot("base_large" if large else "base")
        started = time.monotonic()
        run = Run(subprocess.Popen(
            [DEBIAN / "bin" / "pg_recvlogical", "-d", self.server.url(), "-S", slot, "--start", "-f", "/dev/null",
             "--endpos", self.large_end if large else self.end, "--no-loop", "-o", "proto_version=1", "-o",
             f"publication_names={'large' if large else 'measured'}", "-o", "messages=true"]), started)
        self.drop(slot)
        return run

    def pgcourier(self, sink, large=False, prefix=()):
        slot, end = self.slot("base_large" if large else "base"), self.large_end if large else self.end
        kind, _, once = sink.partition("_")
        if kind == "kafka" and self.broker is None:
            self.broker = KafkaBroker()
        # The defaults of every setting but where to read and where to write.
        with Courier(self.server, (kind,), name=slot, brokers=self.broker.bootstrap if self.broker else None,
                     source__slot=slot, source__publication="large" if large else "measured") as pipeline:
            pipeline.set("http.listen", "")
            if once:
                pipeline.set("sinks.0.kafka.delivery", "exactly_once")
            file, watch = pipeline.file, Watch(self.server, slot, lsn(end))
            started = time.monotonic()
            process = Process(("run", "-c", file, "--until-lsn", end), prefix=prefix)
            pipeline.processes.append(process)
            run = Run(process.popen, started)
            watch.ending.set()
            watch.join()
            process.reader.join(5)
            require(process.popen.returncode == 0, lambda: f"exit {process.popen.returncode}:\n{process.log()}")
            run.stood_still = watch.longest
            self.inspect(run, sink, pipeline, process, large)
        self.drop(slot)
        return run

    def inspect(self, run, sink, pipeline, process, large):
        """Every row is there: the program's own count and checksum, and those of what it wrote."""
        rows = self.large_rows if large else self.rows
        end = next(line for line in process.lines if line.get("sink") == sink.partition("_")[0] and "confirmed_lsn" in line)
        require(int(end["events"]) == rows, f"{sink}: {end['events']} events of {rows}")
        if large:
            return
        if sink == "null":
            self.checksums["null"] = int(str(end["checksum"]), 16) if not isinstance(end["checksum"], int) else end["checksum"]
        elif sink not in self.checksums:
            if sink == "files":
                lines = (line for _, line in read_lines(pipeline.files, pipeline.name))
                checksum, count, unordered = 0, 0, 0
                for line in lines:
                    checksum = zlib.crc32(line, checksum)
                    unordered += zlib.crc32(line)
                    count += 1
                self.checksums.update(files=checksum, files_unordered=unordered)
            else:
                records, _ = read_topics(self.broker.bootstrap, pipeline.name, timeout=300)
                count, unordered = len(records), sum(zlib.crc32(record.value + b"\n") for record in records)
                self.checksums[sink] = unordered
            require(count == rows, f"{sink} holds {count} of {rows}")

    def compare_checksums(self):
        sums = self.checksums
        if "null" in sums and "files" in sums:
            require(sums["null"] == sums["files"], f"null {sums['null']:08x}, files {sums['files']:08x}")
            print(f"checksum of null and of the files' lines: {sums['null']:08x}")
        for sink in sums.keys() & {"kafka", "kafka_once"} if "files_unordered" in sums else ():
            require(sums[sink] == sums["files_unordered"], f"{sink}: Kafka's records are not the files' lines")
            print(f"{sink}: Kafka's records are the files' lines")

    def fsyncs(self, sink):
        """Counted by strace in a run of its own; None without strace."""
        if not shutil.which("strace"):
            return None
        out = self.server.folder / "strace"
        self.pgcourier(sink, prefix=("strace", "-f", "-qq", "-c", "-U", "name,calls", "-e", "trace=fsync,fdatasync", "-o", str(out)))
        return sum(int(line.split()[-1]) for line in out.read_text().splitlines()
                   if line.split() and line.split()[0] in ("fsync", "fdatasync"))


def spread(values, form="{:.2f}"):
    return " / ".join(form.format(value) for value in (min(values), statistics.median(values), max(values)))


def report(rows, results, reference):
    """A line a client; returns the medians of its ratio to pg_recvlogical."""
    print(f"\n{'min / median / max':22}{'rows/s':>30}{'CPU s':>22}{'peak MiB':>22}{'ratio':>22}{'longest stand-still s':>24}")
    ratios = {}
    for name, runs in results.items():
        pairs = [ours.seconds and base.seconds / ours.seconds for ours, base in zip(runs, reference)] if reference else [0]
        ratios[name] = statistics.median(pairs)
        print(f"{name:22}{spread([rows / run.seconds for run in runs], '{:.0f}'):>30}{spread([run.cpu for run in runs]):>22}"
              f"{spread([run.peak for run in runs], '{:.1f}'):>22}{spread(pairs):>22}"
              f"{spread([run.stood_still for run in runs], '{:.1f}'):>24}", flush=True)
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", default="null,files,kafka,kafka_once,large")
    parser.add_argument("--check", action="store_true", help="fail below the floors")
    options = parser.parse_args()
    wanted = set(options.only.split(","))
    sinks = [sink for sink in SINKS if sink in wanted]
    print(f"pgcourier {subprocess.run([BINARY, 'version'], stdout=subprocess.PIPE, text=True).stdout.strip()}")
    bench, missed = Bench(options.rows, options.rows), []
    try:
        bench.fill(wanted)
        results = {name: [] for name in (["pg_recvlogical"] + sinks if sinks else [])}
        for number in range(options.runs if sinks else 0):
            for name, runs in results.items():
                runs.append(bench.pg_recvlogical() if name == "pg_recvlogical" else bench.pgcourier(name))
                print(f"run {number + 1} {name}: {runs[-1].seconds:.2f} s, CPU {runs[-1].cpu:.2f} s, "
                      f"peak {runs[-1].peak:.1f} MiB", flush=True)
        if sinks:
            bench.compare_checksums()
            ratios = report(options.rows, results, results["pg_recvlogical"])
            for sink in sinks:
                cpu = statistics.median(run.cpu for run in results[sink]) * 1_000_000 / options.rows
                peak, still = (max(getattr(run, what) for run in results[sink]) for what in ("peak", "stood_still"))
                missed += [f"{sink}: {text}" for text, bad in (
                    (f"{ratios[sink]:.2f} of pg_recvlogical, the floor is {FLOORS[sink]}", ratios[sink] < FLOORS[sink]),
                    (f"{cpu:.1f} CPU s per million rows", cpu > CPU_SECONDS_PER_MILLION),
                    (f"peak {peak:.1f} MiB", peak > PEAK_MIB), (f"confirmed stood still for {still:.1f} s", still > 1.0 + WATCH_SECONDS)) if bad]
            for sink in [sink for sink in sinks if sink != "null"]:
                print(f"fsyncs of {sink}: {bench.fsyncs(sink) if shutil.which('strace') else 'not counted, no strace'}")
        if "large" in wanted:
            print(f"\none transaction of {options.rows} rows")
            for name in ("pg_recvlogical", *SINKS):
                run = bench.pg_recvlogical(large=True) if name == "pg_recvlogical" else bench.pgcourier(name, large=True)
                print(f"{name:22}{run.seconds:8.2f} s  CPU {run.cpu:.2f} s  peak {run.peak:.1f} MiB", flush=True)
                if name != "pg_recvlogical" and run.peak > PEAK_MIB:
                    missed.append(f"{name}: peak {run.peak:.1f} MiB with one large transaction")
    finally:
        bench.close()
    for text in missed:
        print(f"below the floor: {text}")
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
