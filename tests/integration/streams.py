"""Transactions that are streamed while they are in progress (delivery.md 3 and 20): what they are when they have committed,
what is kept of them until then, and what a crash, a full disk or an abort leaves. `streams.py [words]` runs the cases named by
the words."""
import atexit
import contextlib
import functools
import json
import os
import random
import threading
from pathlib import Path

from harness.checker import read_lines
from harness.postgres import Postgres
from harness.program import cases_of, run_cases
from harness.shared import courier
from harness.waiting import equal, require, wait_for

TABLES = """
CREATE TABLE t (id bigint PRIMARY KEY, writer int, note text);
CREATE TABLE u (id bigint PRIMARY KEY, amount numeric, note text);
CREATE PUBLICATION shop FOR TABLE t, u;
GRANT ALL ON SCHEMA public TO cdc;
"""
PEAK_MIB = 64
ROWS = int(os.environ.get("PGCOURIER_ROWS", "1000000"))  # of the large one


@functools.cache
def server():
    """Streams whatever is longer than 64 kB."""
    made = Postgres(logical_decoding_work_mem="64kB")
    atexit.register(made.remove)
    made.__enter__()
    made.sql(TABLES)
    return made


def pipeline(**settings):
    return courier(of=server(), limits__transaction_memory="64KiB", **settings)


def lines(of):
    return [line for _, line in read_lines(of.files, of.name)]


class Writer(threading.Thread):
    """Transactions with savepoints inside savepoints, released or rolled back at random; some end in ROLLBACK."""

    def __init__(self, number, transactions, messages):
        super().__init__()
        self.messages = messages
        self.random, self.number, self.transactions = random.Random(number), number, transactions
        self.next_id = number * 10**9
        self.failure = None

    def run(self):
        try:
            with contextlib.closing(server().connect()) as connection, connection.cursor() as cursor:
                for _ in range(self.transactions):
                    cursor.execute("BEGIN")
                    self.change(cursor, depth=0)
                    cursor.execute("ROLLBACK" if self.random.random() < 0.15 else "COMMIT")
        except Exception as error:  # told by the case
            self.failure = error

    def change(self, cursor, depth):
        for _ in range(self.random.randint(1, 4)):
            what = self.random.random()
            if what < 0.55:
                count, self.next_id = self.random.choice((1, 20, 400)), self.next_id + 1000
                cursor.execute(f"INSERT INTO {self.random.choice('tu')} SELECT g, {self.number}, repeat('x', 40) "
                               f"FROM generate_series({self.next_id}, {self.next_id + count - 1}) g")
            elif what < 0.7:
                cursor.execute(f"UPDATE t SET note = 'changed' WHERE id BETWEEN {self.next_id} AND {self.next_id + 99}")
            elif what < 0.75 and self.messages:
                cursor.execute("SELECT pg_logical_emit_message(true, 'streams', repeat('m', 300))")
            elif depth < 5:
                cursor.execute(f"SAVEPOINT s{depth}")
                self.change(cursor, depth + 1)
                cursor.execute(("ROLLBACK TO " if self.random.random() < 0.4 else "RELEASE ") + f"s{depth}")


@contextlib.contextmanager
def writers(count=4, transactions=40, messages=False):
    running = [Writer(number + 1, transactions, messages) for number in range(count)]
    server().sql("TRUNCATE t, u")
    for writer in running:
        writer.start()
    yield running
    for writer in running:
        writer.join()
        if writer.failure:
            raise writer.failure


def streamed(of):
    return server().value("SELECT stream_txns FROM pg_stat_replication_slots WHERE slot_name = %s",
                          of.settings["source"]["slot"]) or 0


def make_slots(*pipelines):
    for one in pipelines:
        one.start("slot", "create", "-c", one.file).wait_exit(0)


def case_the_same_lines_with_streaming_on_and_off():
    with pipeline(source__streaming="on") as on, pipeline(source__streaming="off") as off:
        make_slots(on, off)
        with writers():
            pass
        on.drain()
        off.drain()
        wait_for(lambda: streamed(on) >= 20, lambda: f"transactions to be streamed, not {streamed(on)}")
        equal(streamed(off), 0)
        require(len(lines(off)) > 5000, lambda: f"only {len(lines(off))} lines")
        require(lines(on) == lines(off), lambda: f"{len(lines(on))} and {len(lines(off))} lines, not the same")


def case_messages_that_are_rolled_back_are_none():
    """The server streams them under the id of the whole transaction: where that leaves a doubt, they are asked for again."""
    with pipeline(source__streaming="on") as on, pipeline(source__streaming="off") as off:
        make_slots(on, off)
        with writers(messages=True):
            pass
        process = on.drain()
        off.drain()
        require(process.says("may have been rolled back"), lambda: process.log())
        require(any(b'"op":"message"' in line for line in lines(off)), "no messages")
        require(lines(on) == lines(off), lambda: f"{len(lines(on))} and {len(lines(off))} lines, not the same")


def case_killed_while_it_streams():
    """Again and again, in the middle of pieces, replays and files: at the end the lines are those of a quiet run."""
    with pipeline(source__streaming="on") as killed, pipeline(source__streaming="off") as quiet:
        make_slots(killed, quiet)
        kills = 0
        with writers(transactions=120, messages=True) as running:
            while any(writer.is_alive() for writer in running):
                before = len(lines(killed))
                process = killed.run_streaming()
                wait_for(lambda before=before: len(lines(killed)) > before or not any(w.is_alive() for w in running),
                         "more lines", 60)
                process.kill()
                kills += 1
        killed.drain()
        quiet.drain()
        require(kills >= 3, lambda: f"only {kills} kills")
        require(lines(killed) == lines(quiet), lambda: f"{len(lines(killed))} and {len(lines(quiet))} lines, not the same")


def case_open_ones_hold_nothing_back():
    """While one is in progress what others commit is delivered and confirmed; the server's WAL does not wait for it."""
    with pipeline() as one:
        make_slots(one)
        process = one.run_streaming()
        with contextlib.closing(server().connect(autocommit=False)) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO t SELECT g, 0, repeat('x', 100) FROM generate_series(1, 20000) g")
            server().sql("INSERT INTO u VALUES (7, 1, 'beside it')")
            wait_for(lambda: lines(one), "the small one's line", 20)
            behind = ("SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s")
            committed = server().value("SELECT pg_current_wal_lsn()::text")
            server().sql("SELECT pg_logical_emit_message(false, 'another', 'one')")
            wait_for(lambda: server().value(behind, committed, one.settings["source"]["slot"]), "its confirmation", 20)
            equal(len([line for line in lines(one) if b'"table":"t"' in line]), 0)
            connection.rollback()
        process.terminate()
        server().sql("TRUNCATE t, u")


def case_the_disk_for_them_is_full():
    """No more is read, the log says why, and it goes on when there is room."""
    with pipeline() as one:
        make_slots(one)
        spill = Path(one.settings["state_dir"]) / "spill"
        spill.write_text("no folder")
        process = one.run_streaming()
        server().sql("INSERT INTO t SELECT g, 0, repeat('x', 100) FROM generate_series(1, 20000) g")
        process.wait_says("no more is read", "spill")
        equal(lines(one), [])
        spill.unlink()
        wait_for(lambda: len(lines(one)) == 20000, "all of its rows", 30)
        process.terminate()
        require(not list(spill.iterdir()), "a file was left behind")
        server().sql("TRUNCATE t")


def case_the_disk_for_them_gives_other_bytes():
    """Said, and nothing of it delivered: the server has them still."""
    with pipeline() as one:
        make_slots(one)
        process = one.run_streaming()
        with contextlib.closing(server().connect(autocommit=False)) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO t SELECT g, 0, repeat('x', 200) FROM generate_series(1, 20000) g")
            file = wait_for(lambda: spilled(process.pid, 1 << 20), "a file that is written", 20)
            with open(file, "r+b") as disk:
                disk.seek(disk.read(1 << 19).rindex(b"xxxxxxxx") + 4)
                disk.write(b"y")
            connection.commit()
        process.wait_says("checksum is wrong", timeout=30)
        wait_for(lambda: len(lines(one)) == 20000, "all of its rows", 60)
        process.terminate()
        require(not any(b"y" in json.loads(line)["after"]["note"].encode() for line in lines(one)), "other bytes were delivered")
        server().sql("TRUNCATE t")


def spilled(pid, size):
    """The open file of a streamed transaction that has at least that many bytes; it has no name."""
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if "/spill/" in str(path.readlink()) and path.stat().st_size >= size:
                return path
    return None


def case_a_large_one_takes_little_memory(rows=ROWS):
    """A fifth of it rolled back in savepoints."""
    with courier(of=server(), source__streaming="on") as one:
        make_slots(one)
        process = one.run_streaming()
        server().sql(f"""DO $$ BEGIN
            FOR i IN 0 .. {rows // 10_000 - 1} LOOP
                BEGIN
                    INSERT INTO t SELECT g, 0, repeat('x', 100) FROM generate_series(i * 10000 + 1, i * 10000 + 10000) g;
                    IF i % 5 = 0 THEN RAISE EXCEPTION 'rolled back'; END IF;
                EXCEPTION WHEN raise_exception THEN NULL;
                END;
            END LOOP; END $$""")
        server().wait_confirmed(server().value("SELECT pg_current_wal_insert_lsn()::text"),
                                one.settings["source"]["slot"], 300 + rows / 10_000)
        equal(sum(1 for _ in read_lines(one.files, one.name)), rows * 4 // 5)
        peak = process.peak_mib()
        process.terminate()
        print(f"      {rows} rows, a fifth of them rolled back: peak {peak:.1f} MiB", flush=True)
        require(peak < PEAK_MIB, f"peak {peak:.1f} MiB")
        server().sql("TRUNCATE t")


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
