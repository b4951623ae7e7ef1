"""Edge cases of tables: shapes that change, types, publications, replica identities, TOAST, partitions. The names carry
the numbers of EDGE_CASES.md. `edge_cases_tables.py [words]` runs the cases named by the words."""
from harness.program import cases_of, run_cases
from harness.shared import Delivery
from harness.waiting import equal, require, wait_for

T = "CREATE TABLE t (id int PRIMARY KEY, a int, note text)"


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


def altered_while_it_runs(*sequences):
    """Before and after each sequence (statements, values of the row after, what its event must hold) rows are written to a
    pipeline that runs all the time, so that it knows the type as it was."""
    with Delivery("CREATE TYPE addr AS (street text, city text); CREATE TYPE box_27 AS (label text, at addr); "
                  "CREATE TABLE t (id int PRIMARY KEY, a addr, many addr[], b box_27)", "FOR TABLE t") as case:
        process = case.courier.run_streaming()
        wanted = []
        for statements, fields in [((), {"street": "x", "city": "y"}), *sequences]:
            if statements:
                case.sql(*statements)
            row = "ROW(" + ", ".join("NULL" if value is None else repr(value) for value in fields.values()) + ")::addr"
            case.sql(f"INSERT INTO t VALUES ({len(wanted)}, {row}, ARRAY[{row}], ROW('l', {row})::box_27)")
            wanted.append({"id": len(wanted), "a": fields, "many": [fields], "b": {"label": "l", "at": fields}})
            wait_for(lambda: len(case.events_so_far()) == len(wanted), "an event")
        require(process.running(), process.log())
        equal([event["after"] for event in case.events_so_far()], wanted)


def case_27_32_composite_gets_an_attribute():
    altered_while_it_runs((["ALTER TYPE addr ADD ATTRIBUTE zip int"], {"street": "x", "city": "y", "zip": 1}))


def case_27_32_composite_loses_an_attribute():
    altered_while_it_runs((["ALTER TYPE addr DROP ATTRIBUTE street"], {"city": "y"}))


def case_27_32_composite_attribute_renamed():
    """And back again: the last description is the first one."""
    altered_while_it_runs((["ALTER TYPE addr RENAME ATTRIBUTE street TO road"], {"road": "x", "city": "y"}),
                          (["ALTER TYPE addr RENAME ATTRIBUTE road TO street"], {"street": "x", "city": "y"}))


def case_27_32_composite_altered_to_as_many_attributes():
    altered_while_it_runs((["ALTER TYPE addr DROP ATTRIBUTE street", "ALTER TYPE addr ADD ATTRIBUTE zip int"],
                           {"city": "Köln", "zip": 50667}),
                          (["ALTER TYPE addr DROP ATTRIBUTE zip, ADD ATTRIBUTE zip text", "ALTER TABLE t SET (fillfactor = 90)"],
                           {"city": "Köln", "zip": "D-50667"}))


def case_27_32_composite_altered_before_it_is_read():
    """Rows from before: their names are in no catalog any more, so they are PostgreSQL's text."""
    with Delivery("CREATE TYPE addr AS (street text, city text); CREATE TYPE still AS (x int); "
                  "CREATE TABLE t (id int PRIMARY KEY, a addr); CREATE TABLE u (id int PRIMARY KEY, s still)",
                  "FOR TABLE t, u") as case:
        case.sql("INSERT INTO t VALUES (1, ROW('x', 'y'))", "INSERT INTO u VALUES (1, ROW(1))",
                 "ALTER TYPE addr DROP ATTRIBUTE street", "INSERT INTO t VALUES (2, ROW('y'))",
                 "ALTER TYPE addr ADD ATTRIBUTE no int", "INSERT INTO t VALUES (3, ROW('y', 3))",
                 "BEGIN; ALTER TYPE addr RENAME ATTRIBUTE no TO number; INSERT INTO t VALUES (4, ROW('y', 4)); COMMIT",
                 "INSERT INTO t VALUES (5, ROW('y', 5))")
        rows = {(event["table"], event["after"]["id"]): event["after"] for event in case.events()}
        equal(rows[("u", 1)]["s"], {"x": 1})
        equal([rows[("t", n)]["a"] for n in range(1, 6)],
              ["(x,y)", "(y)", "(y,3)", "(y,4)", {"city": "y", "number": 5}])


def case_27_28_enum_and_domain_altered_while_it_runs():
    with Delivery("CREATE TYPE mood AS ENUM ('a'); CREATE DOMAIN few AS int CHECK (VALUE < 10); "
                  "CREATE TABLE t (id int PRIMARY KEY, m mood, f few, fs few[])", "FOR TABLE t") as case:
        case.courier.run_streaming()
        case.sql("INSERT INTO t VALUES (1, 'a', 1, '{1}')")
        wait_for(lambda: len(case.events_so_far()) == 1, "the first event")
        case.sql("ALTER TYPE mood ADD VALUE 'b'", "INSERT INTO t VALUES (2, 'b', 2, '{2}')",
                 "ALTER DOMAIN few DROP CONSTRAINT few_check", "INSERT INTO t VALUES (3, 'b', 30, '{30}')")
        wait_for(lambda: len(case.events_so_far()) == 3, "all events")
        equal([event["after"] for event in case.events_so_far()],
              [{"id": 1, "m": "a", "f": 1, "fs": [1]}, {"id": 2, "m": "b", "f": 2, "fs": [2]},
               {"id": 3, "m": "b", "f": 30, "fs": [30]}])


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
        equal([event["op"] for event in events], ["insert", "update", "delete", "insert", "update"])
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
        equal([event["op"] for event in events], ["insert", "insert", "delete"])
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


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
