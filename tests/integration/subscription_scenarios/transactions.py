"""015 to 023: large transactions with sub-transactions, aborts and DDL, messages, prepared transactions. The large ones are
streamed, which is checked."""
import base64
import contextlib

from harness.replica import Replayed
from harness.waiting import equal, lsn, require, wait_for

from . import since

TEST_TAB = "CREATE TABLE test_tab (a int PRIMARY KEY, b text); CREATE TABLE small (a int PRIMARY KEY)"


def rows(first, last, text="md5(i::text)"):
    return f"INSERT INTO test_tab (a, b) SELECT i, {text} FROM generate_series({first}, {last}) i"


def require_streamed(case, count=1):
    """The statistics are written at the end of the walsender's work."""
    wait_for(lambda: (case.streamed() or 0) >= count, lambda: f"{count} transactions to be streamed, not {case.streamed()}")


@contextlib.contextmanager
def sessions(server, schema, count):
    """Connections that leave BEGIN and COMMIT to the caller."""
    with contextlib.ExitStack() as stack:
        cursors = []
        for _ in range(count):
            connection = stack.enter_context(contextlib.closing(server.connect()))
            cursors.append(connection.cursor())
            cursors[-1].execute(f"SET search_path = {schema}, public")
        yield cursors


# -- 015 to 019 ------------------------------------------------------------------------------------------------------
def scenario_015_stream(server):
    """Two large transactions at once with a small one between: in commit order, each whole; one rolled back leaves nothing."""
    with Replayed(TEST_TAB, "FOR TABLE test_tab, small", of=server, source__streaming="on") as case:
        with sessions(server, case.schema, 3) as (first, second, third):
            for cursor, start in ((first, 1), (second, 5001), (third, 10001)):
                cursor.execute("BEGIN; " + rows(start, start + 1499))
            case.sql("INSERT INTO small VALUES (1)")
            second.execute("UPDATE test_tab SET b = 'second' WHERE a % 2 = 0; DELETE FROM test_tab WHERE a % 3 = 0; COMMIT")
            first.execute("INSERT INTO test_tab VALUES (4000, 'first'); DELETE FROM test_tab WHERE a % 3 = 0; COMMIT")
            third.execute("ROLLBACK")
        events = case.replayed("test_tab", "small")
        order = list(dict.fromkeys(event["xid"] for event in events))
        equal([event["after"]["a"] for event in events if event["seq"] == 0], [1, 5001, 1])
        equal([sum(event["xid"] == xid for event in events) for xid in order], [1, 2750, 2001])
        require(lsn(events[1]["lsn"]) < lsn(events[0]["commit_lsn"]), "the large one began after the small one")
        require_streamed(case, 2)


def scenario_016_stream_subxact(server):
    """Four savepoints with inserts, updates and deletes of each other's rows, in one transaction."""
    with Replayed(TEST_TAB, "FOR TABLE test_tab", of=server) as case:
        steps = [f"{rows(n * 500 + 3, n * 500 + 502)}; UPDATE test_tab SET b = '{n}' || a WHERE a % 2 = 0; "
                 "DELETE FROM test_tab WHERE a % 3 = 0" for n in range(5)]
        case.sql("INSERT INTO test_tab VALUES (1, 'foo'), (2, 'bar')",
                 "BEGIN; " + "; ".join(f"SAVEPOINT s{n}; {step}" for n, step in enumerate(steps)) + "; COMMIT",
                 "BEGIN; SAVEPOINT s; INSERT INTO test_tab VALUES (9000); RELEASE s; COMMIT")
        events = case.replayed("test_tab")
        equal(len({event["xid"] for event in events}), 3)
        require_streamed(case)


def scenario_017_stream_ddl(server):
    """Columns added between the savepoints of a large transaction: each row with those of its moment."""
    with Replayed(TEST_TAB, "FOR TABLE test_tab", of=server) as case:
        case.sql("BEGIN; " + rows(1, 1000) + "; ALTER TABLE test_tab ADD c int; SAVEPOINT s1; "
                 "INSERT INTO test_tab SELECT i, md5(i::text), -i FROM generate_series(1001, 2000) i; "
                 "ALTER TABLE test_tab ADD d text DEFAULT 'd'; SAVEPOINT s2; INSERT INTO test_tab VALUES (2001, 'x', 1, 'y'); "
                 "ALTER TABLE test_tab RENAME b TO e; " + rows(2002, 3000).replace("b)", "e)") + "; ALTER TABLE test_tab DROP c; "
                 "UPDATE test_tab SET a = a + 10000 WHERE a > 2990; COMMIT", "UPDATE test_tab SET e = upper(e)")
        events = case.replayed("test_tab")
        equal([list(events[n]["after"]) for n in (999, 1000, 2000, 2001, 3000)],
              [["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"], ["a", "e", "c", "d"], ["a", "e", "d"]])
        require_streamed(case)


def scenario_018_stream_subxact_abort(server):
    """ROLLBACK TO of inner and outer savepoints of large transactions, some of them large themselves; a whole rollback."""
    with Replayed(TEST_TAB, "FOR TABLE test_tab", of=server) as case:
        case.sql("BEGIN; " + rows(1, 10) + "; SAVEPOINT s1; " + rows(11, 1000) + "; SAVEPOINT s2; " + rows(1001, 2000) +
                 "; SAVEPOINT s3; " + rows(2001, 2500) + "; ROLLBACK TO s2; " + rows(3001, 3500) + "; SAVEPOINT s4; " +
                 rows(3501, 3510) + "; RELEASE s4; ROLLBACK TO s1; " + rows(4001, 5000) + "; COMMIT",
                 "BEGIN; " + rows(6001, 7000) + "; SAVEPOINT s1; " + rows(7001, 8000) + "; ROLLBACK",
                 "BEGIN; SAVEPOINT s1; " + rows(8001, 9000) + "; ROLLBACK TO s1; COMMIT",
                 "BEGIN; SAVEPOINT s1; " + rows(9001, 9002) + "; ROLLBACK TO s1; SAVEPOINT s1; " + rows(9003, 9004) + "; COMMIT")
        events = case.replayed("test_tab")
        equal([event["after"]["a"] for event in events], [*range(1, 11), *range(4001, 5001), 9003, 9004])
        require_streamed(case)


def scenario_019_stream_subxact_ddl_abort(server):
    """DDL that is rolled back with its savepoint: the rows after have the columns from before."""
    with Replayed(TEST_TAB, "FOR TABLE test_tab", of=server) as case:
        case.sql("BEGIN; " + rows(1, 500) + "; ALTER TABLE test_tab ADD c int; SAVEPOINT s1; "
                 "INSERT INTO test_tab SELECT i, 'c', -i FROM generate_series(501, 1000) i; "
                 "ALTER TABLE test_tab ADD d int, DROP b; INSERT INTO test_tab SELECT i, -i, 2 * i FROM generate_series(1001, 1500) i; "
                 "ROLLBACK TO s1; INSERT INTO test_tab SELECT i, md5(i::text), i FROM generate_series(1501, 2000) i; COMMIT",
                 "BEGIN; SAVEPOINT s; CREATE TYPE t AS (x int); ALTER TABLE test_tab ADD e t; UPDATE test_tab SET e = ROW(1); "
                 "ROLLBACK TO s; UPDATE test_tab SET c = 0; COMMIT")
        events = case.replayed("test_tab")
        equal([event["after"]["a"] for event in events[:1000]], [*range(1, 501), *range(1501, 2001)])
        equal([list(events[n]["after"]) for n in (499, 500, 1000)], [["a", "b"], ["a", "b", "c"], ["a", "b", "c"]])
        require_streamed(case)


# -- 020 -------------------------------------------------------------------------------------------------------------
def scenario_020_messages(server):
    """Transactional ones with their transaction; others also out of one that was rolled back; none with `messages: false`."""
    with Replayed(TEST_TAB, "FOR TABLE small", of=server) as case:
        case.sql("SELECT pg_logical_emit_message(true, 'pgoutput', 'alone')", "INSERT INTO small VALUES (1)")
        free = case.sql("SELECT pg_logical_emit_message(false, 'pgoutput', 'free')::text")[0][0]
        case.sql("INSERT INTO small VALUES (2)",
                 "BEGIN; SELECT pg_logical_emit_message(false, 'pgoutput', 'aborted, 1'); INSERT INTO small VALUES (3); "
                 "SELECT pg_logical_emit_message(true, 'pgoutput', 'lost'); "
                 "SELECT pg_logical_emit_message(false, 'pgoutput', 'aborted, 2'); ROLLBACK",
                 "BEGIN; " + rows(1, 2000) + "; SELECT pg_logical_emit_message(true, 'large', repeat('x', 100000)); SAVEPOINT s; "
                 "SELECT pg_logical_emit_message(true, 'large', 'lost'); ROLLBACK TO s; INSERT INTO small VALUES (4); COMMIT")
        events = case.replayed("small")
        equal([(event["op"], base64.b64decode(event["content"]).decode()[:10] if event["op"] == "message" else event["key"]["a"],
                event.get("transactional"), event.get("seq")) for event in events],
              [("message", "alone", True, 0), ("insert", 1, None, 0), ("message", "free", False, None), ("insert", 2, None, 0),
               ("message", "aborted, 1", False, None), ("message", "aborted, 2", False, None), ("message", "x" * 10, True, 0),
               ("insert", 4, None, 1)])
        equal((events[2]["commit_lsn"], events[2]["lsn"], len(events[6]["content"])), (free, free, 133336))
        case.courier.set("source.messages", False)
        case.sql("SELECT pg_logical_emit_message(true, 'pgoutput', 'unheard')", "INSERT INTO small VALUES (5)")
        equal([event["op"] for event in case.events()[len(events):]], ["insert"])


# -- 021 to 023 ------------------------------------------------------------------------------------------------------
def outcomes_of(events):
    return [(event["op"], event["gid"]) for event in events if event["op"].split("_")[0] in ("prepare", "commit", "rollback")]


@since(15)
def scenario_021_twophase(server):
    """Delivered at PREPARE, and the outcomes in their order; across restarts of both sides in between."""
    with Replayed(TEST_TAB, "FOR TABLE test_tab, small", of=server, source__two_phase=True) as case:
        case.sql("BEGIN; INSERT INTO small VALUES (1); SAVEPOINT s; INSERT INTO small VALUES (2); ROLLBACK TO s; "
                 "INSERT INTO small VALUES (3); PREPARE TRANSACTION 'kept'",
                 "BEGIN; INSERT INTO small VALUES (10); PREPARE TRANSACTION 'lost'",
                 "BEGIN; ALTER TABLE test_tab ADD c int; INSERT INTO test_tab VALUES (1, 'x', 2); PREPARE TRANSACTION 'ddl'",
                 "INSERT INTO small VALUES (20)")
        events = case.replayed("small")  # only what has committed counts
        equal([(event.get("gid"), event["after"]["a"]) for event in events if "after" in event],
              [("kept", 1), ("kept", 3), ("lost", 10), ("ddl", 1), (None, 20)])
        equal(outcomes_of(events), [("prepare", "kept"), ("prepare", "lost"), ("prepare", "ddl")])
        server.restart("immediate")
        case.sql("COMMIT PREPARED 'ddl'", "INSERT INTO small VALUES (21)", "ROLLBACK PREPARED 'lost'", "COMMIT PREPARED 'kept'")
        later = case.replayed("test_tab", "small")[len(events):]
        equal([(event["op"], event.get("gid")) for event in later],
              [("commit_prepared", "ddl"), ("insert", None), ("rollback_prepared", "lost"), ("commit_prepared", "kept")])


def scenario_021_twophase_off(server):
    """Delivered at COMMIT PREPARED, in its order, never at ROLLBACK PREPARED; across restarts of both sides in between."""
    with Replayed(TEST_TAB, "FOR TABLE test_tab, small", of=server) as case:
        case.sql("BEGIN; INSERT INTO small VALUES (1); SAVEPOINT s; INSERT INTO small VALUES (2); ROLLBACK TO s; "
                 "INSERT INTO small VALUES (3); PREPARE TRANSACTION 'kept'",
                 "BEGIN; INSERT INTO small VALUES (10); PREPARE TRANSACTION 'lost'",
                 "BEGIN; ALTER TABLE test_tab ADD c int; INSERT INTO test_tab VALUES (1, 'x', 2); PREPARE TRANSACTION 'ddl'",
                 "INSERT INTO small VALUES (20)")
        equal([event["key"]["a"] for event in case.events()], [20])
        server.restart("immediate")
        case.sql("COMMIT PREPARED 'ddl'", "INSERT INTO small VALUES (21)", "ROLLBACK PREPARED 'lost'", "COMMIT PREPARED 'kept'")
        events = case.replayed("test_tab", "small")
        equal([(event["table"], event["after"]["a"], event["seq"]) for event in events],
              [("small", 20, 0), ("test_tab", 1, 0), ("small", 21, 0), ("small", 1, 0), ("small", 3, 1)])
        require(events[3]["xid"] == events[4]["xid"] < events[1]["xid"] < events[0]["xid"] < events[2]["xid"], "the xids of PREPARE")


@since(15)
def scenario_023_twophase_stream(server):
    """Large ones with savepoints, delivered at PREPARE: committed while others run, and rolled back."""
    with Replayed(TEST_TAB, "FOR TABLE test_tab, small", of=server, source__two_phase=True) as case:
        case.sql("BEGIN; " + rows(1, 2000) + "; SAVEPOINT s; " + rows(2001, 3000) + "; ROLLBACK TO s; "
                 "UPDATE test_tab SET b = a WHERE a % 2 = 0; DELETE FROM test_tab WHERE a % 3 = 0; PREPARE TRANSACTION 'large'",
                 "BEGIN; " + rows(5001, 7000) + "; PREPARE TRANSACTION 'lost'", "INSERT INTO small VALUES (1)")
        events = case.replayed("small", test_tab="SELECT * FROM test_tab WHERE false")
        equal([event.get("gid") for event in events], ["large"] * (2000 + 1000 + 666 + 1) + ["lost"] * 2001 + [None])
        case.sql("ROLLBACK PREPARED 'lost'", "BEGIN; INSERT INTO small VALUES (2); COMMIT", "COMMIT PREPARED 'large'")
        later = case.replayed("test_tab", "small")[len(events):]
        equal(outcomes_of(later), [("rollback_prepared", "lost"), ("commit_prepared", "large")])
        require_streamed(case)


def scenario_023_twophase_stream_off(server):
    """Large ones with savepoints: committed while others run, and rolled back."""
    with Replayed(TEST_TAB, "FOR TABLE test_tab, small", of=server) as case:
        case.sql("BEGIN; " + rows(1, 2000) + "; SAVEPOINT s; " + rows(2001, 3000) + "; ROLLBACK TO s; "
                 "UPDATE test_tab SET b = a WHERE a % 2 = 0; DELETE FROM test_tab WHERE a % 3 = 0; PREPARE TRANSACTION 'large'",
                 "BEGIN; " + rows(5001, 7000) + "; PREPARE TRANSACTION 'lost'", "INSERT INTO small VALUES (1)")
        equal([event["table"] for event in case.events()], ["small"])
        case.sql("ROLLBACK PREPARED 'lost'", "BEGIN; INSERT INTO small VALUES (2); COMMIT", "COMMIT PREPARED 'large'")
        events = case.replayed("test_tab", "small")
        equal(len(events), 2 + 2000 + 1000 + 666)
        require_streamed(case)
