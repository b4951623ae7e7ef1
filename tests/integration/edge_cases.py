"""Edge cases that no other program covers: positions, relations, identities. The names carry the numbers of
EDGE_CASES.md. `edge_cases.py [words]` runs the cases named by the words."""
import base64
import io

from harness.postgres import Postgres
from harness.program import cases_of, run_cases
from harness.shared import PLAIN, Delivery, courier, insert, server
from harness.waiting import lsn, require, wait_for


def ops(events):
    return [event["op"] for event in events]


def equal(found, wanted):
    require(found == wanted, f"{found}\n        instead of {wanted}")


T = "CREATE TABLE t (id int PRIMARY KEY, a int, note text)"


def case_03_end_of_one_commit_is_the_begin_of_the_next():
    """Restarted after each of 12 transactions that follow without a gap: none lost, none twice."""
    with Delivery(T, "FOR TABLE t") as case:
        case.sql(*[f"INSERT INTO t VALUES ({n})" for n in range(1, 13)])
        changes = case.server.sql(
            "SELECT lsn::text FROM pg_logical_slot_peek_binary_changes(%s, NULL, NULL, 'proto_version', '1', "
            "'publication_names', %s) WHERE substring(data, 1, 1) = 'C'", case.schema, case.schema)
        require(len(changes) == 12, f"{len(changes)} commits")
        for (position,) in changes:
            case.courier.run("--until-lsn", position).wait_exit(0)
        equal([event["after"]["id"] for event in case.events()], list(range(1, 13)))


def case_04_rows_that_share_an_lsn():
    """COPY writes many rows in one record: (commit_lsn, seq) tells them apart."""
    with Delivery(T, "FOR TABLE t") as case:
        connection = case.server.connect()
        with connection.cursor() as cursor:
            cursor.copy_expert(f"COPY {case.schema}.t (id) FROM STDIN", io.StringIO("".join(f"{n}\n" for n in range(500))))
        connection.close()
        events = case.events()
        require(len({event["lsn"] for event in events}) < 500, "no two rows share an LSN")
        equal([(event["seq"], event["after"]["id"]) for event in events], [(n, n) for n in range(500)])


def case_05_commit_order_not_wal_order():
    with Delivery(T, "FOR TABLE t") as case:
        first, second = (case.server.connect(autocommit=False) for _ in range(2))
        for connection, key in ((first, 1), (second, 2), (first, 3)):
            connection.cursor().execute(f"INSERT INTO {case.schema}.t VALUES ({key})")
        second.commit()
        first.commit()
        events = case.events()
        equal([(event["after"]["id"], event["seq"]) for event in events], [(2, 0), (1, 0), (3, 1)])
        require(lsn(events[1]["lsn"]) < lsn(events[0]["lsn"]), "the LSNs of the rows do not go back")
        first.close()
        second.close()


def case_08_write_is_received_flush_is_durable():
    with courier() as pipeline:
        process = pipeline.run_streaming()
        position = insert(1)
        server().wait_confirmed(position, pipeline.settings["source"]["slot"], timeout=15)
        write, flush, replay = server().sql(
            "SELECT write_lsn, flush_lsn, replay_lsn FROM pg_stat_replication WHERE pid = %s",
            server().slot(pipeline.settings["source"]["slot"])["active_pid"])[0]
        require(lsn(write) >= lsn(flush) == lsn(replay), f"write {write} flush {flush} replay {replay}")
        process.terminate()


def case_09_killed_within_a_large_transaction():
    """The server sends it again from its beginning; nothing of it comes twice."""
    with Delivery(T, "FOR TABLE t") as case:
        case.sql("INSERT INTO t SELECT g, g, repeat('n', 100) FROM generate_series(1, 150000) g")
        for _ in range(4):
            process = case.courier.run()
            before = sum(path.stat().st_size for path in case.courier.names())
            wait_for(lambda before=before: sum(path.stat().st_size for path in case.courier.names()) > before + 10**6 or
                     not process.running(), "data in the file", every=0.002)
            process.kill()
            case.server.wait_free(case.schema)
        events = case.events()
        equal([event["seq"] for event in events], list(range(150000)))
        equal([n for n, event in enumerate(events) if event.get("last")], [149999])


def case_17_slot_creation_waits_for_a_long_transaction():
    """It says which process it waits for, and goes on when that one ends."""
    with courier() as pipeline:
        holder = server().connect(autocommit=False)
        with holder.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id(), pg_backend_pid()")
            pid = cursor.fetchone()[1]
        process = pipeline.run()
        try:
            process.wait_says(str(pid), timeout=30)
        finally:
            holder.rollback()
            holder.close()
        wait_for(lambda: (server().slot(pipeline.settings["source"]["slot"]) or {}).get("active"), "streaming", 20)
        process.terminate()


def case_21_xids_beyond_2_to_the_31():
    with HighXid() as high:
        high.sql(PLAIN)
        with courier(of=high) as pipeline:
            pipeline.start("slot", "create", "-c", pipeline.file).wait_exit(0)
            insert(1, of=high)
            pipeline.drain()
            xid = int(pipeline.events()[0]["xid"])
            require(xid > 2**31, f"xid {xid}")


class HighXid(Postgres):
    """Its next transaction has an id of more than 3 thousand million."""

    def initdb(self):
        super().initdb().start()
        self.sql("VACUUM FREEZE", database="postgres")  # else its rows would lie in the future
        self.sql("VACUUM FREEZE", database="template1")
        self.stop()
        xid = 3_000_000_000
        segment = self.data / "pg_xact" / f"{xid // (8192 * 4 * 32):04X}"
        self.command("", "dd", "if=/dev/zero", f"of={segment}", "bs=262144", "count=1", "status=none")
        self.command("pg_resetwal", "-x", xid, "-u", xid - 10**6, "-D", self.data)
        return self


def case_24_publication_made_after_the_slot():
    """The server's 'publication does not exist' for old WAL is said with its way out; it does not spin or lose."""
    with Delivery(T, None) as case:
        case.sql("INSERT INTO t VALUES (1)", f"CREATE PUBLICATION {case.schema} FOR TABLE t", "INSERT INTO t VALUES (2)")
        before = case.server.slot(case.schema)["confirmed_flush_lsn"]
        process = case.courier.run("--until-lsn", "now")
        code = process.wait_exit(None, 30)
        if code == 0:  # PostgreSQL 18 skips it
            return
        require(code in (66, 78), f"exit {code}:\n{process.log()}")
        require(process.says("publication"), lambda: process.log())
        equal(case.server.slot(case.schema)["confirmed_flush_lsn"], before)


def case_25_relation_resent():
    """ANALYZE and ALTER make the server send Relation again: nothing but the rows is seen of it."""
    with Delivery(T, "FOR TABLE t") as case:
        case.sql("INSERT INTO t VALUES (1)", "ALTER TABLE t SET (fillfactor = 90)", "INSERT INTO t VALUES (2)",
                 "ANALYZE t", "INSERT INTO t VALUES (3)")
        equal([(event["op"], event["after"]["id"]) for event in case.events()], [("insert", n) for n in (1, 2, 3)])


def case_26_30_31_32_columns_as_they_were():
    """Add, rename, drop a column, rename and drop the table, all before anything is read."""
    with Delivery(T, "FOR TABLE t") as case:
        case.sql("ALTER TABLE t REPLICA IDENTITY FULL", "INSERT INTO t VALUES (1, 1, 'n')",
                 "ALTER TABLE t ADD COLUMN fresh int DEFAULT 7", "UPDATE t SET a = 2",
                 "BEGIN; INSERT INTO t VALUES (2, 2, 'm', 8); ALTER TABLE t RENAME COLUMN note TO remark; "
                 "INSERT INTO t VALUES (3, 3, 'o', 9); COMMIT",
                 "ALTER TABLE t DROP COLUMN a", "UPDATE t SET remark = 'p' WHERE id = 1",
                 "ALTER TABLE t RENAME TO renamed", "DELETE FROM renamed WHERE id = 2", "DROP TABLE renamed")
        events = case.events()
        equal([(event["op"], event["table"], event.get("before"), event.get("after")) for event in events], [
            ("insert", "t", None, {"id": 1, "a": 1, "note": "n"}),
            ("update", "t", {"id": 1, "a": 1, "note": "n", "fresh": 7}, {"id": 1, "a": 2, "note": "n", "fresh": 7}),
            ("insert", "t", None, {"id": 2, "a": 2, "note": "m", "fresh": 8}),
            ("insert", "t", None, {"id": 3, "a": 3, "remark": "o", "fresh": 9}),
            ("update", "t", {"id": 1, "remark": "n", "fresh": 7}, {"id": 1, "remark": "p", "fresh": 7}),
            ("delete", "renamed", {"id": 2, "remark": "m", "fresh": 8}, None)])


def case_27_28_29_user_types():
    """A type of one name in two schemas, one made again under its name, an enum with a new label."""
    with Delivery("CREATE TYPE mood AS ENUM ('a'); CREATE TYPE public.mood_27 AS ENUM ('other'); "
                  "CREATE TABLE t (id int PRIMARY KEY, m mood, o public.mood_27, ms mood[])", "FOR TABLE t") as case:
        case.sql("INSERT INTO t VALUES (1, 'a', 'other', '{a}')", "ALTER TYPE mood ADD VALUE 'b'",
                 "INSERT INTO t VALUES (2, 'b', 'other', '{a,b}')", "ALTER TYPE mood RENAME VALUE 'b' TO 'c'",
                 "INSERT INTO t VALUES (3, 'c', 'other', '{c}')")
        case.events()
        case.sql("ALTER TABLE t DROP COLUMN m, DROP COLUMN ms; DROP TYPE mood; CREATE TYPE mood AS (x int, y text); "
                 "ALTER TABLE t ADD COLUMN m mood", "INSERT INTO t VALUES (4, 'other', '(1,z)')")
        rows = [event["after"] for event in case.events()]
        require(rows[1]["m"] in ("b", "c") and rows[1]["ms"] in (["a", "b"], ["a", "c"]), f"{rows[1]}")
        equal([(rows[n]["m"], rows[n].get("ms")) for n in (0, 2, 3)],
              [("a", ["a"]), ("c", ["c"]), ({"x": 1, "y": "z"}, None)])
        case.server.sql("DROP TYPE public.mood_27 CASCADE")


def case_36_savepoints_and_empty_transactions():
    with Delivery(T + "; CREATE TABLE unpublished (a int)", "FOR TABLE t") as case:
        case.sql("INSERT INTO unpublished VALUES (1)",
                 "BEGIN; INSERT INTO t VALUES (1); SAVEPOINT s; INSERT INTO t VALUES (2); ROLLBACK TO s; "
                 "INSERT INTO t VALUES (3); COMMIT", "BEGIN; INSERT INTO t VALUES (4); ROLLBACK")
        equal([(event["after"]["id"], event["seq"], event.get("last")) for event in case.events()],
              [(1, 0, None), (3, 1, True)])


def case_37_messages():
    """Transactional ones count in their transaction, others have an LSN of their own; any bytes, any size."""
    with Delivery(T, "FOR TABLE t") as case:
        case.sql("BEGIN; INSERT INTO t VALUES (1); SELECT pg_logical_emit_message(true, 'p', 'in'); "
                 "SELECT pg_logical_emit_message(false, 'p', '\\x00ff'::bytea); INSERT INTO t VALUES (2); COMMIT",
                 "BEGIN; SELECT pg_logical_emit_message(false, 'q', 'survives'); ROLLBACK",
                 "SELECT pg_logical_emit_message(true, '', '')")
        events = case.events()
        messages = [event for event in events if event["op"] == "message"]
        equal([(m["prefix"], base64.b64decode(m["content"]), m["transactional"], m.get("seq"), "xid" in m, "commit_ts" in m)
               for m in messages], [("p", b"\x00\xff", False, None, False, False), ("p", b"in", True, 1, True, True),
                                    ("q", b"survives", False, None, False, False), ("", b"", True, 0, True, True)])
        equal([event["seq"] for event in events if "seq" in event], [0, 1, 2, 0])
        again = case.courier.drain()
        require(not again.says('"events": 1'), "a message came again")
        equal(len(case.events()), len(events))


def case_38_origin():
    with Delivery(T, "FOR TABLE t") as case:
        case.server.sql("SELECT pg_replication_origin_create('elsewhere')")
        case.sql("INSERT INTO t VALUES (1)")
        connection = case.server.connect()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_replication_origin_session_setup('elsewhere'); BEGIN; "
                           f"INSERT INTO {case.schema}.t VALUES (2); "
                           "SELECT pg_replication_origin_xact_setup('0/10', now()); COMMIT")
        connection.close()
        events = case.events()
        equal([event.get("origin") is not None for event in events], [False, True])
        require("elsewhere" in str(events[1]["origin"]), f"{events[1]['origin']}")
        case.server.sql("SELECT pg_replication_origin_drop('elsewhere')")


def case_39_truncate():
    """One event a table with its flags; through the root with publish_via_partition_root."""
    with Delivery("CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a); "
                  "CREATE TABLE root (id int PRIMARY KEY) PARTITION BY RANGE (id); "
                  "CREATE TABLE leaf PARTITION OF root FOR VALUES FROM (0) TO (10)",
                  "FOR TABLE a, b, root WITH (publish_via_partition_root = true)") as case:
        case.sql("TRUNCATE a RESTART IDENTITY CASCADE", "INSERT INTO root VALUES (1)", "TRUNCATE root")
        events = case.events()
        equal(sorted((event["table"], event["cascade"], event["restart_identity"]) for event in events[:2]),
              [("a", True, True), ("b", True, True)])
        equal([event["seq"] for event in events], [0, 1, 0, 0])
        equal([(event["op"], event["table"]) for event in events[2:]], [("insert", "root"), ("truncate", "root")])


def case_41_names_that_need_quotes():
    publication = 'Pub "x", \'y\' ß'
    name = "Taböll.e \"q\" " + "x" * 60  # cut to 63 bytes by the server
    quoted = '"' + name.replace('"', '""') + '"'
    with Delivery(f"CREATE TABLE {quoted} (\"Id \"\"x\" int PRIMARY KEY, \"a.b\" text)", f"FOR TABLE {quoted}",
                  source__publication=publication) as case:
        case.sql(f"INSERT INTO {quoted} VALUES (1, 'x')", f"UPDATE {quoted} SET \"a.b\" = 'y'")
        event = case.events()[-1]
        equal((event["table"], event["key"], event["after"]),
              (name.encode()[:63].decode(errors="ignore"), {'Id "x': 1}, {'Id "x': 1, "a.b": "y"}))
        case.server.sql('DROP PUBLICATION "' + publication.replace('"', '""') + '"')


def case_42_row_filters_and_column_lists():
    """An update may become an insert or a delete; columns off the list are absent."""
    with Delivery(T + "; ALTER TABLE t REPLICA IDENTITY FULL; CREATE TABLE c (id int PRIMARY KEY, secret text, a int)",
                  "FOR TABLE t WHERE (a > 10), TABLE c (id, a)") as case:
        case.sql("INSERT INTO t VALUES (1, 1)", "UPDATE t SET a = 20", "UPDATE t SET a = 30", "UPDATE t SET a = 2",
                 "INSERT INTO c VALUES (1, 's', 2)", "UPDATE c SET a = 3, secret = 'x'")
        events = case.events()
        equal(ops(events), ["insert", "update", "delete", "insert", "update"])
        equal([event["after"] for event in events[3:]], [{"id": 1, "a": 2}, {"id": 1, "a": 3}])


def case_44_generated_columns_are_absent():
    with Delivery("CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED)",
                  "FOR TABLE t") as case:
        case.sql("INSERT INTO t VALUES (1)")
        equal(case.events()[0]["after"], {"id": 1})


def case_45_a_row_of_60_megabytes():
    with Delivery("CREATE TABLE t (id int PRIMARY KEY, body text)", "FOR TABLE t") as case:
        case.sql("INSERT INTO t SELECT 1, repeat('0123456789', 6000000)", "UPDATE t SET id = 2")
        events = case.events()
        equal((len(events), len(events[0]["after"]["body"])), (2, 60_000_000))
        equal((events[1]["unchanged"], events[1]["before"], events[1]["key"]), (["body"], {"id": 1}, {"id": 2}))


def case_47_identity_using_index():
    with Delivery("CREATE TABLE t (id int PRIMARY KEY, code text NOT NULL UNIQUE, a int); "
                  "ALTER TABLE t REPLICA IDENTITY USING INDEX t_code_key", "FOR TABLE t") as case:
        case.sql("INSERT INTO t VALUES (1, 'x', 1)", "UPDATE t SET a = 2", "UPDATE t SET code = 'y'", "DELETE FROM t")
        events = case.events()
        equal([(event["key"], event.get("before")) for event in events],
              [({"code": "x"}, None), ({"code": "x"}, None), ({"code": "y"}, {"code": "x"}), ({"code": "y"}, {"code": "y"})])


def case_48_full_identity_without_key():
    with Delivery("CREATE TABLE t (a int); ALTER TABLE t REPLICA IDENTITY FULL", "FOR TABLE t") as case:
        case.sql("INSERT INTO t VALUES (1), (1)", "DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t)")
        events = case.events()
        equal(ops(events), ["insert", "insert", "delete"])
        equal((events[2]["before"], "key" in events[2]), ({"a": 1}, False))


def case_49_identity_changed_in_the_stream():
    with Delivery(T, "FOR TABLE t") as case:
        case.sql("INSERT INTO t VALUES (1, 1)", "UPDATE t SET a = 2", "ALTER TABLE t REPLICA IDENTITY FULL",
                 "UPDATE t SET a = 3", "ALTER TABLE t REPLICA IDENTITY NOTHING", "INSERT INTO t VALUES (2, 1)",
                 "ALTER TABLE t REPLICA IDENTITY DEFAULT", "DELETE FROM t WHERE id = 1")
        events = case.events()
        equal([event.get("before") for event in events],
              [None, None, {"id": 1, "a": 2, "note": None}, None, {"id": 1}])
        equal([event["key"] for event in events], [{"id": 1}, {"id": 1}, {"id": 1}, {"id": 2}, {"id": 1}])


def case_50_53_key_only_before_and_key_changes():
    """Columns that were not sent are absent, not null; files keep one update."""
    with Delivery(T, "FOR TABLE t") as case:
        case.sql("INSERT INTO t VALUES (1, 1, 'n')", "UPDATE t SET id = 2", "DELETE FROM t")
        events = case.events()
        equal([(event["op"], event["key"], event.get("before"), "after" in event) for event in events],
              [("insert", {"id": 1}, None, True), ("update", {"id": 2}, {"id": 1}, True),
               ("delete", {"id": 2}, {"id": 2}, False)])


def case_51_identity_nothing_is_warned_of():
    with Delivery(T + "; ALTER TABLE t REPLICA IDENTITY NOTHING; CREATE TABLE bare (a int)", "FOR TABLE t, bare") as case:
        case.sql("INSERT INTO t VALUES (1)")
        equal(len(case.events()), 1)
        require(case.process.says("warn", "replica identity"), lambda: f"no warning:\n{case.process.log()}")
        out = case.courier.folder / "check"
        with open(out, "wb") as file:
            case.courier.start("check", "-c", case.courier.file, stdout=file).wait_exit(0)
        for table in (f"{case.schema}.t", f"{case.schema}.bare"):
            require(table in out.read_text(), f"check says nothing about {table}:\n{out.read_text()}")


def case_52_unchanged_toast():
    """Named, not nulled; under FULL the old row's value stands for it."""
    with Delivery("CREATE TABLE t (id int PRIMARY KEY, a int, body text, data bytea); "
                  "ALTER TABLE t ALTER body SET STORAGE EXTERNAL, ALTER data SET STORAGE EXTERNAL; "
                  "CREATE TABLE f (LIKE t INCLUDING ALL); ALTER TABLE f REPLICA IDENTITY FULL", "FOR TABLE t, f") as case:
        for table in ("t", "f"):
            case.sql(f"INSERT INTO {table} VALUES (1, 1, repeat('x', 9000), decode(repeat('00', 9000), 'hex'))",
                     f"UPDATE {table} SET a = 2", f"UPDATE {table} SET body = NULL")
        events = case.events()
        equal((events[1]["unchanged"], events[1]["after"]), (["body", "data"], {"id": 1, "a": 2}))
        equal((events[2]["unchanged"], events[2]["after"]), (["data"], {"id": 1, "a": 2, "body": None}))
        update = events[4]
        equal(update["before"]["body"], "x" * 9000)
        require("body" in update.get("unchanged", []) or update["after"].get("body") == "x" * 9000, "body is lost")


def case_54_toasted_key():
    """The old key is sent whole; a new row that says 'unchanged' for a key column takes it from there."""
    with Delivery("CREATE TABLE t (k text PRIMARY KEY, n int, other int); ALTER TABLE t ALTER k SET STORAGE EXTERNAL",
                  "FOR TABLE t") as case:
        key = "k" * 2500
        case.sql(f"INSERT INTO t VALUES ('{key}', 1)", "UPDATE t SET n = 2", f"UPDATE t SET k = '{key}x'", "DELETE FROM t")
        events = case.events()
        equal([event["key"]["k"] == wanted for event, wanted in zip(events, (key, key, key + "x", key + "x"))], [True] * 4)


def case_55_56_partitions():
    """Rows move between partitions, one with another column order and identity; attach and detach in the stream."""
    with Delivery("CREATE TABLE root (id int, a int, note text, PRIMARY KEY (id)) PARTITION BY RANGE (id); "
                  "CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (10); "
                  "CREATE TABLE high (note text, gone int, a int, id int NOT NULL PRIMARY KEY); "
                  "ALTER TABLE high DROP COLUMN gone; ALTER TABLE high REPLICA IDENTITY FULL; "
                  "ALTER TABLE root ATTACH PARTITION high FOR VALUES FROM (10) TO (20)", "FOR TABLE root") as case:
        case.sql("INSERT INTO root VALUES (1, 1, 'n')", "UPDATE root SET id = 11", "UPDATE root SET a = 2",
                 "ALTER TABLE root DETACH PARTITION high", "INSERT INTO high (id) VALUES (12)",
                 "ALTER TABLE root ATTACH PARTITION high FOR VALUES FROM (10) TO (20)", "DELETE FROM root WHERE id = 11")
        equal([(event["op"], event["table"], event.get("before"), event.get("after")) for event in case.events()], [
            ("insert", "low", None, {"id": 1, "a": 1, "note": "n"}), ("delete", "low", {"id": 1}, None),
            ("insert", "high", None, {"note": "n", "a": 1, "id": 11}),
            ("update", "high", {"note": "n", "a": 1, "id": 11}, {"note": "n", "a": 2, "id": 11}),
            ("delete", "high", {"note": "n", "a": 2, "id": 11}, None)])


def case_55_partitions_via_root():
    with Delivery("CREATE TABLE root (id int, a int, PRIMARY KEY (id)) PARTITION BY RANGE (id); "
                  "CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (10); "
                  "CREATE TABLE high PARTITION OF root FOR VALUES FROM (10) TO (20)",
                  "FOR TABLE root WITH (publish_via_partition_root = true)") as case:
        case.sql("INSERT INTO root VALUES (1, 1)", "UPDATE root SET id = 11")
        equal([(event["op"], event["table"]) for event in case.events()],
              [("insert", "root"), ("delete", "root"), ("insert", "root")])


def case_57_inheritance_children():
    with Delivery("CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (extra int) INHERITS (parent); "
                  "ALTER TABLE child ADD PRIMARY KEY (id)", "FOR TABLE parent") as case:
        case.sql("INSERT INTO parent VALUES (1)", "INSERT INTO child VALUES (2, 3)")
        equal([(event["table"], event["after"]) for event in case.events()],
              [("parent", {"id": 1}), ("child", {"id": 2, "extra": 3})])


def case_58_what_is_never_published():
    """Unlogged tables in the schema of a publication for all: no events, no fault."""
    with Delivery(T + "; CREATE UNLOGGED TABLE u (id int PRIMARY KEY); CREATE MATERIALIZED VIEW v AS SELECT 1 AS a; "
                  "CREATE SEQUENCE s", "FOR TABLES IN SCHEMA CURRENT_SCHEMA") as case:
        case.sql("INSERT INTO u VALUES (1)", "SELECT nextval('s')", "REFRESH MATERIALIZED VIEW v", "INSERT INTO t VALUES (1)")
        equal([event["table"] for event in case.events()], ["t"])


def case_13_waiting_for_a_slot_says_who_holds_it():
    with courier() as pipeline:
        first = pipeline.run_streaming()
        holder = server().slot(pipeline.settings["source"]["slot"])["active_pid"]
        second = pipeline.run()
        second.wait_says(str(holder), timeout=15)
        first.terminate()
        second.terminate()


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
