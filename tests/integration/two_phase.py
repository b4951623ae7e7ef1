"""Prepared transactions with `two_phase: true` (delivery.md 21): their changes at PREPARE TRANSACTION, then what became of
them; across kills and restarts of both sides in between. `two_phase.py [words]` runs the cases named by the words."""
import atexit
import contextlib
import functools
import json
import random
import threading

from harness.checker import Problems, check_unit_marks, read_lines, read_topics, units_of
from harness.courier import Courier
from harness.postgres import PASSWORD, Postgres
from harness.program import cases_of, run_cases
from harness.replica import roll_back_prepared
from harness.shared import Delivery, broker, refused
from harness.standby import ColdStandby, fail_over, synchronised
from harness.waiting import equal, lsn, require, wait_for

TABLE = "CREATE TABLE t (id int PRIMARY KEY, note text)"
PUBLISHED = "FOR TABLE t"


@functools.cache
def server(major):
    """Streams whatever is longer than 64 kB."""
    made = Postgres(major, logical_decoding_work_mem="64kB", max_prepared_transactions=10)
    atexit.register(made.remove)
    return made.__enter__()


class Prepared(Delivery):
    """With a slot that `slot create` makes."""

    def __init__(self, major=15, setup=TABLE, publication=PUBLISHED, create_slot=True, **settings):
        super().__init__(setup, publication, of=server(major), source__two_phase=True, **settings)
        self.server.sql("SELECT pg_drop_replication_slot(%s)", self.schema)
        if create_slot:
            self.courier.start("slot", "create", "-c", self.courier.file).wait_exit(0)
            equal(self.server.slot(self.schema)["two_phase"], True)

    def lines(self):
        return [json.loads(line) for _, line in read_lines(self.courier.files, self.courier.name) if line.endswith(b"\n")]

    def count(self):
        return sum(1 for _ in read_lines(self.courier.files, self.courier.name))

    def told(self):
        return [what(event) for event in self.lines()]

    def wait_told(self, count):
        wait_for(lambda: self.count() >= count, lambda: f"{count} events, not {self.told()}", 30)

    def drained(self):
        self.courier.drain()
        problems = Problems()
        for file, unit in units_of(read_lines(self.courier.files, self.courier.name), problems):
            check_unit_marks(file, unit, problems)
        problems.raise_any("the files sink")
        return self.told()

    def __exit__(self, *exception):
        roll_back_prepared(self.server)
        super().__exit__(*exception)


def what(event):
    return event["op"], event.get("gid"), event["after"]["id"] if "after" in event else None


def prepare(gid, first, last, note="x"):
    return (f"BEGIN; INSERT INTO t SELECT g, repeat('{note}', 100) FROM generate_series({first}, {last}) g; "
            f"PREPARE TRANSACTION '{gid}'")


def inserts(gid, first, last):
    return [("insert", gid, row) for row in range(first, last + 1)]


def changes_and_outcomes(major):
    """The changes at PREPARE, the outcomes when they come, everything in the order of the WAL."""
    with Prepared(major) as case:
        case.sql(prepare("kept", 1, 2), prepare("lost", 3, 3), "INSERT INTO t VALUES (4)")
        told = [*inserts("kept", 1, 2), ("prepare", "kept", None), ("insert", "lost", 3), ("prepare", "lost", None),
                ("insert", None, 4)]
        equal(case.drained(), told)
        case.sql("ROLLBACK PREPARED 'lost'", "COMMIT PREPARED 'kept'", "INSERT INTO t VALUES (5)",
                 prepare("kept", 6, 6), "COMMIT PREPARED 'kept'")  # a gid may come again
        told += [("rollback_prepared", "lost", None), ("commit_prepared", "kept", None), ("insert", None, 5),
                 ("insert", "kept", 6), ("prepare", "kept", None), ("commit_prepared", "kept", None)]
        equal(case.drained(), told)
        events = case.lines()
        positions = [(lsn(event["commit_lsn"]), event["seq"]) for event in events]
        equal(positions, sorted(set(positions)))
        first, second = [[event for event in events if event.get("gid") == "kept"][part] for part in (slice(4), slice(4, 7))]
        for unit in (first, second):
            equal(len({event["xid"] for event in unit}), 1)
            equal(len({event["commit_lsn"] for event in unit[:-1]}), 1)
            equal([event["seq"] for event in unit], [*range(len(unit) - 1), 0])
            equal(unit[-2]["lsn"], unit[-2]["commit_lsn"])  # of a prepare: of its record
            require(lsn(unit[-2]["end_lsn"]) <= lsn(unit[-1]["commit_lsn"]) < lsn(unit[-1]["end_lsn"]), lambda: f"{unit}")
        require(first[0]["xid"] != second[0]["xid"], "two transactions with one xid")


def large_ones_are_streamed(major):
    with Prepared(major, limits__transaction_memory="64KiB") as case:
        case.sql("BEGIN; INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 2000) g; SAVEPOINT s; "
                 "INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(2001, 4000) g; ROLLBACK TO s; "
                 "INSERT INTO t VALUES (5000); PREPARE TRANSACTION 'large'", prepare("lost", 6001, 8000))
        told = case.drained()
        equal([who for op, _, who in told if op == "insert"], [*range(1, 2001), 5000, *range(6001, 8001)])
        equal([(op, gid) for op, gid, _ in told if op != "insert"], [("prepare", "large"), ("prepare", "lost")])
        case.sql("ROLLBACK PREPARED 'lost'", "COMMIT PREPARED 'large'")
        equal(case.drained()[len(told):], [("rollback_prepared", "lost", None), ("commit_prepared", "large", None)])
        wait_for(lambda: case.server.value("SELECT stream_txns FROM pg_stat_replication_slots WHERE slot_name = %s",
                                           case.schema) >= 2, "them to be streamed")


def failover_in_between(major):
    """The slot has failover too: prepared on the primary, ended on the promoted standby."""
    with Postgres(major, max_prepared_transactions=10) as primary:
        primary.sql(f"{TABLE}; CREATE PUBLICATION shop {PUBLISHED}; SELECT pg_create_physical_replication_slot('standby', true)")
        primary.stop()
        with ColdStandby(primary, sync_replication_slots="on", max_prepared_transactions=10) as standby:
            primary.settings["synchronized_standby_slots"] = "standby"
            primary.configure()
            primary.start()
            hosts = f"postgresql://cdc:{PASSWORD}@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/shop"
            with Courier(primary, url=hosts, source__two_phase=True) as pipeline:
                process = pipeline.run_streaming()
                equal([primary.slot()[name] for name in ("two_phase", "failover")], [True, True])
                # Before one is prepared: the standby takes the slot up only where nothing older is open.
                wait_for(lambda: primary.sql("SELECT pg_log_standby_snapshot()") and synchronised(standby),
                         "the slot on the standby", 40, every=0.5)
                primary.sql(prepare("kept", 1, 2))
                primary.sql(prepare("lost", 3, 3))
                wait_for(lambda: len(pipeline.events()) == 5, lambda: f"5 events, not {pipeline.events()}")
                fail_over(primary, standby, pipeline)
                for statement in ("COMMIT PREPARED 'kept'", "ROLLBACK PREPARED 'lost'", "INSERT INTO t VALUES (4)"):
                    standby.sql(statement)
                wait_for(lambda: len(pipeline.events()) == 8, lambda: f"8 events, not {pipeline.events()}")
                process.terminate()
                equal([(event["op"], event.get("gid")) for event in pipeline.events()],
                      [("insert", "kept")] * 2 + [("prepare", "kept"), ("insert", "lost"), ("prepare", "lost"),
                                                  ("commit_prepared", "kept"), ("rollback_prepared", "lost"), ("insert", None)])


def on(major, test):
    def case():
        test(major)
    case.__name__ = f"case_{test.__name__}_on_{major}"
    return case


EACH = [on(major, test) for test, majors in ((changes_and_outcomes, (15, 18)), (large_ones_are_streamed, (15, 18)),
                                             (failover_in_between, (17, 18))) for major in majors]


def case_killed_or_stopped_in_between():
    """Neither loss nor, in files, duplicates: whatever ended it, and whether the lines of PREPARE were there already. Rolled
    back are only those: what was not decoded by then may come without its changes."""
    with Prepared() as case:
        expected = []
        for number in range(12):
            process = case.courier.run_streaming()
            gid = f"gid {number}"
            case.sql(prepare(gid, 10 * number, 10 * number + 4))
            expected += [*inserts(gid, 10 * number, 10 * number + 4), ("prepare", gid, None)]
            if number % 3 == 0:
                case.wait_told(len(expected))
            process.kill() if number % 2 else process.terminate()
            if number % 5 == 0:
                equal(case.drained(), expected)
            end = "ROLLBACK" if number in (3, 5, 6, 10) else "COMMIT"
            case.sql(f"{end} PREPARED '{gid}'")
            expected.append((f"{end.lower()}_prepared", gid, None))
        equal(case.drained(), expected)


def case_the_server_restarts_in_between():
    """While pgcourier goes on; after an immediate stop the slot may stand before what was confirmed."""
    with Prepared() as case:
        process, expected = case.courier.run_streaming(), []
        for number, how in enumerate(("fast", "immediate", "kill")):
            case.sql(prepare(how, 10 * number, 10 * number + 1))
            expected += [*inserts(how, 10 * number, 10 * number + 1), ("prepare", how, None)]
            case.wait_told(len(expected))
            case.server.restart(how)
            case.sql(f"COMMIT PREPARED '{how}'", f"INSERT INTO t VALUES ({10 * number + 5})")
            expected += [("commit_prepared", how, None), ("insert", None, 10 * number + 5)]
            case.wait_told(len(expected))
        process.terminate()
        equal(case.drained(), expected)


def case_an_idle_one_holds_nothing_back():
    with Prepared() as case:
        process = case.courier.run_streaming()
        case.sql(prepare("idle", 1, 1))
        case.wait_told(2)
        case.server.wait_confirmed(case.server.value("SELECT pg_current_wal_lsn()::text"), case.schema)
        case.sql("INSERT INTO t VALUES (2)")
        case.wait_told(3)
        case.server.wait_confirmed(case.lines()[-1]["end_lsn"], case.schema)
        case.sql("ROLLBACK PREPARED 'idle'")
        case.wait_told(4)
        case.server.wait_confirmed(case.lines()[-1]["end_lsn"], case.schema)
        process.terminate()


class Writer(threading.Thread):
    """Prepares transactions of any size, with savepoints rolled back, and ends them at once or others' first."""

    def __init__(self, case, number, count=60):
        super().__init__()
        self.case, self.number, self.count, self.random = case, number, count, random.Random(number)
        self.open, self.failure = [], None

    def run(self):
        try:
            for step in range(self.count):
                first, gid = self.number * 10**8 + step * 10**5, f"{self.number}/{step}"
                size = self.random.choice((1, 5, 50, 2000))
                aborted = f"SAVEPOINT s; UPDATE t SET note = 'no' WHERE id = {first}; ROLLBACK TO s; " if step % 3 else ""
                self.case.sql(prepare(gid, first, first + size - 1).replace("PREPARE T", aborted + "PREPARE T"))
                self.open.append(gid)
                while len(self.open) > self.random.randint(0, 2):
                    self.end(self.open.pop(0))
            for gid in self.open:
                self.end(gid)
        except Exception as error:  # told by the case
            self.failure = error

    def end(self, gid):
        self.case.sql(f"{self.random.choice(('COMMIT', 'ROLLBACK'))} PREPARED '{gid}'")


def case_a_consumer_that_waits_for_the_outcomes_has_the_table():
    """Killed again and again under writers; what is rolled back at once may have part of its changes, what commits all."""
    with Prepared(limits__transaction_memory="64KiB") as case:
        writers = [Writer(case, number) for number in (1, 2, 3)]
        for writer in writers:
            writer.start()
        kills = 0
        while any(writer.is_alive() for writer in writers):
            before, process = case.count(), case.courier.run_streaming()
            wait_for(lambda before=before: case.count() > before + 500 or not any(w.is_alive() for w in writers),
                     "more lines", 60)
            process.kill()
            kills += 1
        for writer in writers:
            writer.join()
            if writer.failure:
                raise writer.failure
        case.drained()
        staged, rows, ended = {}, [], {}
        for event in case.lines():
            changes = staged.setdefault((event["gid"], event["xid"]), [])
            if event["op"].endswith("_prepared"):
                equal([event["seq"] for event in changes], [*range(len(changes))])
                equal([event["op"] for event in changes], ["insert"] * (len(changes) - 1) + ["prepare"])
                ended[event["gid"]] = ended.get(event["gid"], 0) + 1
                if event["op"] == "commit_prepared":
                    rows += [event["after"]["id"] for event in changes[:-1]]
            changes.append(event)
        equal(sorted(rows), [row for (row,) in case.sql("SELECT id FROM t ORDER BY id")])
        equal(ended, {f"{writer.number}/{step}": 1 for writer in writers for step in range(writer.count)})
        require(kills >= 3 and len(rows) > 1000, lambda: f"only {kills} kills, {len(rows)} rows")
        print(f"      {kills} kills, {len(rows)} rows", flush=True)


def case_tables_made_and_altered():
    """What a prepared transaction did to tables is in no catalog until it commits."""
    with Prepared(setup=TABLE + "; CREATE TABLE u (id int PRIMARY KEY)", publication="FOR TABLES IN SCHEMA CURRENT_SCHEMA") as case:
        process = case.courier.run_streaming()
        case.sql("INSERT INTO t VALUES (1)",
                 "BEGIN; ALTER TABLE t ADD c int; INSERT INTO t VALUES (2, 'a', 7); PREPARE TRANSACTION 'altered'",
                 "BEGIN; CREATE TABLE v (id int PRIMARY KEY, n int); INSERT INTO v VALUES (3, 3); PREPARE TRANSACTION 'made'",
                 "BEGIN; ALTER TABLE u ADD d int; INSERT INTO u VALUES (4, 4); PREPARE TRANSACTION 'lost'")
        case.wait_told(7)
        case.sql("COMMIT PREPARED 'altered'", "INSERT INTO t VALUES (5, 'b', 8)", "COMMIT PREPARED 'made'",
                 "INSERT INTO v VALUES (6, 6)", "ROLLBACK PREPARED 'lost'", "INSERT INTO u VALUES (7)")
        case.wait_told(13)
        process.terminate()
        equal([(event["table"], event["key"], event["after"]) for event in case.lines() if "after" in event],
              [("t", {"id": 1}, {"id": 1, "note": None}), ("t", {"id": 2}, {"id": 2, "note": "a", "c": 7}),
               ("v", {"id": 3}, {"id": 3, "n": 3}), ("u", {"id": 4}, {"id": 4, "d": 4}),
               ("t", {"id": 5}, {"id": 5, "note": "b", "c": 8}), ("v", {"id": 6}, {"id": 6, "n": 6}),
               ("u", {"id": 7}, {"id": 7})])


def case_prepared_before_the_slot_was_ready():
    """Its PREPARE is not decoded: the server sends all of it at COMMIT PREPARED, with an LSN from before the slot. As one unit,
    once, whether pgcourier was there or started again after it."""
    with Prepared(create_slot=False) as case, contextlib.ExitStack() as stack:
        first, second = [stack.enter_context(contextlib.closing(case.server.connect(autocommit=False))) for _ in range(2)]
        first.cursor().execute("SELECT pg_current_xact_id()")
        making = case.courier.start("slot", "create", "-c", case.courier.file)
        making.wait_says("waits for the end")
        second.cursor().execute("SELECT pg_current_xact_id()")
        first.rollback()
        making.wait_says("waits for the end", f"process {second.info.backend_pid} ")
        case.sql(prepare("early", 1, 2))
        second.rollback()
        making.wait_exit(0)
        case.sql("INSERT INTO t VALUES (3)")
        told = [("insert", None, 3)]
        equal(case.drained(), told)
        case.sql("INSERT INTO t VALUES (4)", "COMMIT PREPARED 'early'", "INSERT INTO t VALUES (5)")
        process = case.courier.run_streaming()
        told += [("insert", None, 4), *inserts("early", 1, 2), ("prepare", "early", None), ("commit_prepared", "early", None),
                 ("insert", None, 5)]
        case.wait_told(len(told))
        process.kill()
        equal(case.drained(), told)
        early = [event for event in case.lines() if event.get("gid")]
        equal((len({event["commit_lsn"] for event in early}), [event.get("last") for event in early]), (1, [None] * 3 + [True]))
        require(lsn(early[2]["lsn"]) < lsn(case.lines()[0]["commit_lsn"]), "prepared after the slot was ready")


def case_outcomes_have_a_topic():
    with Prepared(sinks=("kafka",)) as case:
        case.sql(prepare("kept", 1, 1), prepare("it's “lost”", 2, 2).replace("it's", "it''s"), "ROLLBACK PREPARED 'it''s “lost”'",
                 "COMMIT PREPARED 'kept'", "INSERT INTO t VALUES (3)")
        case.courier.drain()
        name = case.courier.name
        records, topics = read_topics(broker().bootstrap, name)
        by_key = {}
        for record in records:
            if record.topic == f"{name}.transaction":
                by_key.setdefault(record.key.decode(), []).append(json.loads(record.value)["op"])
        equal(by_key, {"kept": ["prepare", "commit_prepared"], "it's “lost”": ["prepare", "rollback_prepared"]})
        rows = [what(json.loads(record.value)) for record in records if record.topic == f"{name}.{case.schema}.t"]
        equal(sorted(rows, key=lambda row: row[2]), [("insert", "kept", 1), ("insert", "it's “lost”", 2), ("insert", None, 3)])


def case_the_setting_and_the_slot_must_agree():
    with Prepared() as case:
        case.courier.set("source.two_phase", False)
        refused(case.courier, 78, "made with two_phase", case.schema)
        case.courier.start("check", "-c", case.courier.file).wait_exit(78)
    with Delivery(TABLE, PUBLISHED, of=server(15)) as case:
        case.courier.set("source.two_phase", True)
        refused(case.courier, 78, "made without two_phase", case.schema)
        case.courier.start("check", "-c", case.courier.file).wait_exit(78)
        case.courier.set("source.two_phase", False)
        case.sql(prepare("kept", 1, 1), "INSERT INTO t VALUES (2)", "COMMIT PREPARED 'kept'")
        equal([(event["op"], event["after"]["id"], "gid" in event) for event in case.events()],
              [("insert", 2, False), ("insert", 1, False)])  # as always: at its commit


def case_run_makes_the_slot_with_it():
    with Prepared(create_slot=False) as case:
        process = case.courier.run_streaming()
        equal(case.server.slot(case.schema)["two_phase"], True)
        process.terminate()


def case_postgresql_14_has_none():
    with Postgres(14) as old:
        with Delivery(TABLE, PUBLISHED, of=old, source__two_phase=True) as case:
            old.sql("SELECT pg_drop_replication_slot(%s)", case.schema)
            refused(case.courier, 78, "PostgreSQL 15")
            case.courier.start("check", "-c", case.courier.file).wait_exit(78)
            require(not old.sql("SELECT 1 FROM pg_replication_slots"), "a slot was left behind")


if __name__ == "__main__":
    run_cases(EACH + cases_of(globals()), __doc__)
