"""001 to 014 but partitions: rows, values, constraints, DDL, truncate, generated columns."""
import unicodedata

from harness.replica import Replayed
from harness.shared import refused
from harness.waiting import equal, require

from . import since


def ops(events):
    return [event["op"] for event in events]


# -- 001 -------------------------------------------------------------------------------------------------------------
def scenario_001_rep_changes(server):
    """Keys that change, duplicates under FULL, an unchanged TOAST value, a key with INCLUDE, a table without columns; the
    daemon is started anew in between, as the subscription's worker is."""
    tables = ("tab_full", "tab_full2", "tab_full_pk", "tab_rep", "tab_mixed", "tab_include", "tab_nothing",
              "tab_no_col")
    with Replayed(
            "CREATE TABLE tab_notrep (a int); CREATE TABLE tab_full (a int); CREATE TABLE tab_full2 (x text); "
            "CREATE TABLE tab_full_pk (a int PRIMARY KEY, b text); CREATE TABLE tab_rep (a int PRIMARY KEY); "
            "CREATE TABLE tab_mixed (a int PRIMARY KEY, b text, c numeric); CREATE TABLE tab_nothing (a int); "
            "CREATE TABLE tab_include (a int, b text, PRIMARY KEY (a) INCLUDE (b)); CREATE TABLE tab_no_col (); "
            "ALTER TABLE tab_nothing REPLICA IDENTITY NOTHING; ALTER TABLE tab_full_pk REPLICA IDENTITY FULL; "
            "ALTER TABLE tab_full_pk ALTER b SET STORAGE EXTERNAL",
            "FOR TABLE " + ", ".join(tables), of=server) as case:
        case.sql("INSERT INTO tab_notrep SELECT generate_series(1, 10)",
                 "INSERT INTO tab_full SELECT generate_series(1, 10)",
                 "INSERT INTO tab_full2 VALUES ('a'), ('b'), ('b')",
                 "INSERT INTO tab_rep SELECT generate_series(1, 50)", "DELETE FROM tab_rep WHERE a > 20",
                 "UPDATE tab_rep SET a = -a", "INSERT INTO tab_mixed VALUES (1, 'foo', 1.1), (2, 'bar', 2.20)",
                 "INSERT INTO tab_include SELECT generate_series(1, 50), 'x'", "DELETE FROM tab_include WHERE a > 20",
                 "UPDATE tab_include SET a = -a", "INSERT INTO tab_nothing VALUES (generate_series(1, 20))",
                 "INSERT INTO tab_no_col DEFAULT VALUES",
                 "INSERT INTO tab_full_pk VALUES (1, repeat('long', 3000)), (2, 'short')")
        first = case.replayed(*tables)
        require(not any(event["table"] == "tab_notrep" for event in first), "an event of an unpublished table")
        equal([event["before"] for event in first if event["op"] == "update" and event["table"] == "tab_include"],
              [{"a": a} for a in range(1, 21)])
        case.sql("INSERT INTO tab_full SELECT generate_series(1, 10)", "ALTER TABLE tab_full REPLICA IDENTITY FULL",
                 "ALTER TABLE tab_full2 REPLICA IDENTITY FULL", "UPDATE tab_full SET a = a * a",
                 "UPDATE tab_full2 SET x = 'bb' WHERE x = 'b'", "UPDATE tab_mixed SET b = 'baz' WHERE a = 1",
                 "UPDATE tab_full_pk SET a = a + 10", "DELETE FROM tab_full_pk WHERE a = 12", "DELETE FROM tab_rep")
        second = case.replayed(*tables)[len(first):]
        equal([event["before"] for event in second if event["table"] == "tab_full2"], [{"x": "b"}, {"x": "b"}])
        full = [event for event in second if event["table"] == "tab_full_pk"]
        equal((ops(full), full[0]["before"]["b"], full[2]["before"]), (["update", "update", "delete"], "long" * 3000,
                                                                       {"a": 12, "b": "short"}))


def scenario_001_rep_changes_of_publications(server):
    """What a publication publishes, and which tables are its, changes in the stream."""
    with Replayed("CREATE TABLE tab_ins (a int); CREATE TABLE tab_full (a int); "
                  "ALTER TABLE tab_full REPLICA IDENTITY FULL",
                  "FOR TABLE tab_ins WITH (publish = 'insert')", of=server) as case:
        case.sql("INSERT INTO tab_ins SELECT generate_series(1, 50)", "DELETE FROM tab_ins WHERE a > 20",
                 "UPDATE tab_ins SET a = -a", "TRUNCATE tab_full", "INSERT INTO tab_full VALUES (1)",
                 "ALTER TABLE tab_ins REPLICA IDENTITY FULL",
                 f"ALTER PUBLICATION {case.schema} SET (publish = 'insert, delete')",
                 f"ALTER PUBLICATION {case.schema} ADD TABLE tab_full", "DELETE FROM tab_ins WHERE a > -11",
                 "UPDATE tab_ins SET a = 0", "INSERT INTO tab_full VALUES (0)", "TRUNCATE tab_ins")
        events = case.events()
        equal([event["after"] for event in events[:50]], [{"a": a} for a in range(1, 51)])
        equal([(event["op"], event.get("before")) for event in events[50:60]],
              [("delete", {"a": -a}) for a in range(1, 11)])
        equal([(event["op"], event["table"], event["after"]) for event in events[60:]],
              [("insert", "tab_full", {"a": 0})])


# -- 002 -------------------------------------------------------------------------------------------------------------
TYPES = """
CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public;
CREATE TYPE comp AS (a float, b text, c int); CREATE TYPE mood AS ENUM ('a', 'b', 'c');
CREATE TYPE comp_enum AS (a float, b mood, c int); CREATE TYPE comp_arrays AS (a float, b mood[], c comp[]);
CREATE DOMAIN few AS int CHECK (VALUE < 10); CREATE DOMAIN words AS text[];
CREATE TABLE one_array (a int PRIMARY KEY, b int[]);
CREATE TABLE arrays (a int[] PRIMARY KEY, b text[], c float[], d interval[]);
CREATE TABLE enums (a mood PRIMARY KEY, b mood[]);
CREATE TABLE comps (a comp[] PRIMARY KEY, b comp, c comp_enum, d comp_arrays);
CREATE TABLE ranges (a int4range PRIMARY KEY, b tstzrange[], c numrange, d int8multirange);
CREATE TABLE others (a few PRIMARY KEY, b words, c public.hstore, d jsonb, e numeric, f bytea, g timestamptz, h date, i uuid,
                     j bool, k bit varying, l inet, m float4, n money, o time, p interval);
ALTER TABLE others REPLICA IDENTITY FULL; ALTER TABLE comps REPLICA IDENTITY FULL;
"""
OTHERS = ("SELECT a, b, c, d, e::text, translate(encode(f, 'base64'), E'\\n', '') f, h, i, j, k, l, m, n, o, p, "
          "replace(to_json(g) #>> '{}', '+00:00', 'Z') g FROM others")


def scenario_002_types(server):
    """Arrays, enums, composites, ranges, domains, hstore and more, as keys too: inserted, updated, deleted."""
    with Replayed(TYPES, "FOR TABLE one_array, arrays, enums, comps, ranges, others", of=server) as case:
        case.sql("INSERT INTO one_array VALUES (1, '{1, 2, 3}'), (2, '{{2, 3}, {1, NULL}}'), (3, NULL), (4, '{}')",
                 "INSERT INTO arrays VALUES ('{1, 2}', '{a, NULL, \"x,y\\\\\"}', '{1.1, 2.25}', '{1 day, -2 hours, 1 mon}'), "
                 "('{3, 4}', '{}', '{Infinity, NaN}', NULL)",
                 "INSERT INTO enums VALUES ('a', '{b, c}'), ('b', NULL)",
                 "INSERT INTO comps VALUES (ARRAY[ROW(1, 'a', 1), ROW(NULL, '(\"', 2)]::comp[], ROW(1.5, 'a b', NULL), "
                 "ROW(1, 'b', 3), ROW(1, '{a, c}', ARRAY[ROW(1, NULL, 2)::comp])), (ARRAY[]::comp[], NULL, NULL, NULL)",
                 "INSERT INTO ranges VALUES ('[1,10)', ARRAY[tstzrange('2014-08-04', 'infinity'), 'empty'], '(1.5,2]', "
                 "'{[1,3), [5,9)}'), ('empty', NULL, '(,)', '{}')",
                 "INSERT INTO others VALUES (1, '{a, b}', 'k=>v, \"n\"=>NULL', '{\"a\": [1, null]}', 1.10, '\\x00ff', "
                 "'2014-08-04 12:00:00.5+02', '0044-03-15 BC', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', true, '101', "
                 "'10.0.0.0/8', 1.5, 1.25, '24:00', '1 year 2 mons -3 days'), "
                 "(2, NULL, NULL, 'null', 'NaN', '', 'infinity', 'infinity', NULL, false, '', '::1', 'NaN', NULL, NULL, NULL)",
                 "UPDATE one_array SET b = '{4, 5}' WHERE a > 2", "UPDATE arrays SET a = a || 9, b = '{z}'",
                 "UPDATE enums SET a = 'c' WHERE a = 'b'", "UPDATE comps SET b = ROW(2, '', 2)",
                 "UPDATE ranges SET a = '[20,30)' WHERE isempty(a)",
                 "UPDATE others SET a = a + 5, e = e * 2, c = NULL",
                 "DELETE FROM one_array WHERE a = 1", "DELETE FROM arrays WHERE 1 = ANY (a)",
                 "DELETE FROM enums WHERE a = 'a'",
                 "DELETE FROM comps WHERE cardinality(a) = 0", "DELETE FROM ranges WHERE a = '[20,30)'")
        events = case.replayed("one_array", "arrays", "enums", "comps", "ranges", others=OTHERS)
        rows = {table: [event["after"] for event in events if event["op"] == "insert" and event["table"] == table]
                for table in ("one_array", "comps", "others")}
        equal([row["b"] for row in rows["one_array"]], [[1, 2, 3], [[2, 3], [1, None]], None, []])
        equal(rows["comps"][0]["d"], {"a": 1, "b": ["a", "c"], "c": [{"a": 1, "b": None, "c": 2}]})
        equal([rows["others"][0][name] for name in "cdefghop"],
              [{"k": "v", "n": None}, {"a": [1, None]}, "1.10", "AP8=", "2014-08-04T10:00:00.5Z", "0044-03-15 BC",
               "24:00:00", "P1Y2M-3D"])


# -- 003 -------------------------------------------------------------------------------------------------------------
def scenario_003_constraints(server):
    """What foreign keys and triggers do on the server comes as changes of the same transaction."""
    with Replayed(
            "CREATE TABLE pk (bid int PRIMARY KEY); CREATE TABLE log (what text); "
            "CREATE TABLE fk (id int PRIMARY KEY, bid int REFERENCES pk ON DELETE CASCADE ON UPDATE SET NULL); "
            "CREATE FUNCTION changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 99 THEN RETURN NULL; "
            "END IF; NEW.id = NEW.id + 100; EXECUTE format('INSERT INTO %I.log VALUES ($1)', TG_TABLE_SCHEMA) "
            "USING 'row ' || NEW.id; RETURN NEW; END $$; "
            "CREATE TRIGGER changed BEFORE INSERT ON fk FOR EACH ROW EXECUTE FUNCTION changed()",
            "FOR TABLE pk, fk, log", of=server) as case:
        case.sql("INSERT INTO pk VALUES (1), (2)", "INSERT INTO fk VALUES (1, 1), (2, 1), (99, 1), (3, 2)",
                 "UPDATE pk SET bid = 20 WHERE bid = 2", "DELETE FROM pk WHERE bid = 1",
                 "BEGIN; SET CONSTRAINTS ALL DEFERRED; DELETE FROM fk; INSERT INTO pk VALUES (5); COMMIT")
        events = case.replayed("pk", "fk", "log")
        equal([(event["op"], event["table"],
                event["key"] if "key" in event else event["after"]) for event in events[2:8]],
              [("insert", "log", {"what": "row 101"}), ("insert", "fk", {"id": 101}),
               ("insert", "log", {"what": "row 102"}),
               ("insert", "fk", {"id": 102}), ("insert", "log", {"what": "row 103"}), ("insert", "fk", {"id": 103})])
        equal([(event["op"], event["table"], event["seq"]) for event in events[8:13]],
              [("update", "pk", 0), ("update", "fk", 1), ("delete", "pk", 0), ("delete", "fk", 1),
               ("delete", "fk", 2)])


# -- 004 -------------------------------------------------------------------------------------------------------------
def scenario_004_sync(server):
    """The streamed part: rows from before the slot do not come; a table added later, or made again, from then on."""
    with Replayed("CREATE TABLE tab_rep (a int PRIMARY KEY); INSERT INTO tab_rep SELECT generate_series(1, 10); "
                  "CREATE TABLE tab_late (a int PRIMARY KEY)", "FOR TABLE tab_rep", of=server) as case:
        case.sql("INSERT INTO tab_rep SELECT generate_series(11, 20)", "INSERT INTO tab_late VALUES (1)",
                 f"ALTER PUBLICATION {case.schema} ADD TABLE tab_late", "INSERT INTO tab_late VALUES (2)",
                 "DROP TABLE tab_rep", "CREATE TABLE tab_rep (b text PRIMARY KEY, a int)",
                 "INSERT INTO tab_rep VALUES ('no')",
                 f"ALTER PUBLICATION {case.schema} ADD TABLE tab_rep", "INSERT INTO tab_rep VALUES ('yes', 1)")
        equal([(event["table"], event["after"]) for event in case.events()],
              [("tab_rep", {"a": a}) for a in range(11, 21)] + [("tab_late", {"a": 2}),
                                                                ("tab_rep", {"b": "yes", "a": 1})])


# -- 005 -------------------------------------------------------------------------------------------------------------
def scenario_005_encoding(server):
    """A database in LATIN1, names too: the events are UTF-8."""
    latin = server.other_database("latin", "ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    with Replayed('CREATE TABLE "größe" (a int PRIMARY KEY, "maß" text)', 'FOR TABLE "größe"', of=latin) as case:
        case.sql("INSERT INTO \"größe\" VALUES (1, 'Mot\xf6rhead \xa9'), (2, U&'\\00ff')",
                 'UPDATE "größe" SET "maß" = "maß" || \'ü\'')
        equal([(event["table"], event["after"]["maß"]) for event in case.events()],
              [("größe", text) for text in ("Motörhead ©", "ÿ", "Motörhead ©ü", "ÿü")])


# -- 006 to 009 ------------------------------------------------------------------------------------------------------
def scenario_006_rewrite(server):
    """A table written anew by ALTER, VACUUM FULL or CLUSTER: its rows do not come again."""
    with Replayed("CREATE TABLE test1 (a int PRIMARY KEY, b text)", "FOR TABLE test1", of=server) as case:
        case.sql("INSERT INTO test1 VALUES (1, 'one'), (2, '2')",
                 "ALTER TABLE test1 ADD c timestamp NOT NULL DEFAULT now(), ADD d float DEFAULT random()",
                 "INSERT INTO test1 (a, b) VALUES (3, '3')", "DELETE FROM test1 WHERE a = 1",
                 "BEGIN; UPDATE test1 SET b = '22' WHERE a = 2; ALTER TABLE test1 ALTER b TYPE int USING b::int; "
                 "INSERT INTO test1 (a, b) VALUES (4, 4); COMMIT", "VACUUM FULL test1",
                 "CLUSTER test1 USING test1_pkey",
                 "UPDATE test1 SET b = b + 1")
        events = case.replayed("test1")
        equal([(event["op"], event["key"]["a"]) for event in events],
              [("insert", 1), ("insert", 2), ("insert", 3), ("delete", 1), ("update", 2), ("insert", 4),
               ("update", 2), ("update", 3), ("update", 4)])
        equal([event["after"]["b"] for event in events if event["op"] == "update"], ["22", 23, 4, 5])


def scenario_007_ddl(server):
    """A publication that is not there is named and stops the run; once made, the same slot goes on. Tables that are changed
    and dropped in the transaction that wrote to them."""
    with Replayed("CREATE TABLE test1 (a int PRIMARY KEY, b text)", None, of=server) as case:
        refused(case.courier, 78, case.schema)
        case.sql(f"CREATE PUBLICATION {case.schema} FOR ALL TABLES", "INSERT INTO test1 VALUES (1, 'x')",
                 "BEGIN; CREATE TABLE test2 (a int PRIMARY KEY); INSERT INTO test2 VALUES (1); "
                 "ALTER TABLE test2 ADD b int DEFAULT 7; UPDATE test2 SET a = 2; DROP TABLE test2; COMMIT",
                 "INSERT INTO test1 VALUES (2, 'y')")
        equal([(event["op"], event["table"], event["after"]) for event in case.events()],
              [("insert", "test1", {"a": 1, "b": "x"}), ("insert", "test2", {"a": 1}),
               ("update", "test2", {"a": 2, "b": 7}), ("insert", "test1", {"a": 2, "b": "y"})])


def scenario_008_diff_schema(server):
    """Rows from before a column was added, with its default as it was then; columns that go and come again."""
    with Replayed("CREATE TABLE test_tab (a int PRIMARY KEY, b varchar)", "FOR TABLE test_tab", of=server) as case:
        case.sql("INSERT INTO test_tab VALUES (1, 'foo'), (2, 'bar'), (3, 'baz')",
                 "ALTER TABLE test_tab ADD c int DEFAULT 999, ADD d text DEFAULT 'd'",
                 "ALTER TABLE test_tab ALTER c SET DEFAULT 1",
                 "UPDATE test_tab SET b = md5(b) WHERE a < 3", "INSERT INTO test_tab VALUES (4, 'x')",
                 "ALTER TABLE test_tab DROP b", "ALTER TABLE test_tab ADD b bigint GENERATED ALWAYS AS IDENTITY",
                 "INSERT INTO test_tab (a) VALUES (5)", "UPDATE test_tab SET d = NULL")
        events = case.replayed("test_tab")
        equal([event["after"]["c"] for event in events[3:6]], [999, 999, 1])
        equal(list(events[6]["after"]), ["a", "c", "d", "b"])


def scenario_009_matviews(server):
    with Replayed("CREATE TABLE test1 (a int PRIMARY KEY, b text)", "FOR ALL TABLES", of=server) as case:
        case.sql("INSERT INTO test1 VALUES (1, 'one')", "CREATE MATERIALIZED VIEW testmv1 AS SELECT * FROM test1",
                 "CREATE UNIQUE INDEX ON testmv1 (a)", "INSERT INTO test1 VALUES (2, 'two')",
                 "REFRESH MATERIALIZED VIEW testmv1", "INSERT INTO test1 VALUES (3, 'three')",
                 "REFRESH MATERIALIZED VIEW CONCURRENTLY testmv1", "CREATE TABLE made AS SELECT 4 AS a",
                 "BEGIN; CREATE TEMP TABLE tt AS SELECT 1 AS a; UPDATE tt SET a = 2; COMMIT")
        equal([event["table"] for event in case.replayed("test1", "made")], ["test1", "test1", "test1", "made"])


# -- 010 to 012 ------------------------------------------------------------------------------------------------------
def scenario_010_truncate(server):
    """One event a published table, with the options; cascades to tables that were not named; not published: none."""
    with Replayed("CREATE TABLE tab1 (a serial PRIMARY KEY); CREATE TABLE tab2 (a int PRIMARY KEY REFERENCES tab1); "
                  "CREATE TABLE tab3 (a int); CREATE TABLE tab4 (a int PRIMARY KEY REFERENCES tab1)",
                  "FOR TABLE tab1, tab2, tab3", of=server) as case:
        case.sql("INSERT INTO tab1 VALUES (1), (2)", "INSERT INTO tab2 VALUES (1)", "INSERT INTO tab3 VALUES (1), (1)",
                 "INSERT INTO tab4 VALUES (1)", "TRUNCATE tab3", "INSERT INTO tab3 VALUES (2)",
                 "TRUNCATE tab1 RESTART IDENTITY CASCADE", "TRUNCATE tab4", "INSERT INTO tab1 DEFAULT VALUES",
                 "BEGIN; TRUNCATE tab2, tab3, tab4; INSERT INTO tab2 VALUES (1); SAVEPOINT s; TRUNCATE tab2; ROLLBACK TO s; "
                 "COMMIT", f"ALTER PUBLICATION {case.schema} SET (publish = 'insert')", "TRUNCATE tab2",
                 "INSERT INTO tab3 VALUES (9)",
                 f"ALTER PUBLICATION {case.schema} SET (publish = 'truncate')", "TRUNCATE tab3, tab2")
        truncates = [event for event in case.replayed("tab1", "tab2", "tab3") if event["op"] == "truncate"]
        by_transaction = {}
        for event in truncates:
            by_transaction.setdefault(event["commit_lsn"],
                                      []).append((event["table"], event["cascade"], event["restart_identity"]))
            require(not {"key", "before", "after"} & set(event), lambda event=event: f"a truncate with a row: {event}")
        equal([sorted(tables) for tables in by_transaction.values()],
              [[("tab3", False, False)], [("tab1", True, True), ("tab2", True, True)],
               [("tab2", False, False), ("tab3", False, False)], [("tab2", False, False), ("tab3", False, False)]])


GENERATED = "CREATE TABLE tab1 (a int PRIMARY KEY, b int GENERATED ALWAYS AS (a * 2) STORED, c int)"


def scenario_011_generated(server):
    """Not published by default; a dropped one and one that a trigger depends on do not shift the others."""
    with Replayed(GENERATED + "; CREATE TABLE tab2 (g int GENERATED ALWAYS AS (a + 1) STORED, a int PRIMARY KEY, c text)",
                  "FOR TABLE tab1, tab2", of=server) as case:
        case.sql("INSERT INTO tab1 (a, c) VALUES (4, 1), (5, 2)", "UPDATE tab1 SET a = 6 WHERE a = 5",
                 "INSERT INTO tab2 (a, c) VALUES (1, 'x')", "UPDATE tab2 SET c = 'y'", "DELETE FROM tab1 WHERE a = 4",
                 "ALTER TABLE tab2 ALTER g DROP EXPRESSION", "ALTER TABLE tab2 REPLICA IDENTITY FULL",
                 "UPDATE tab2 SET c = 'z'")
        events = case.replayed(tab1="SELECT a, c FROM tab1", tab2="SELECT * FROM tab2")
        equal([(event.get("before"), event["after"]) for event in events if event["table"] == "tab2"],
              [(None, {"a": 1, "c": "x"}), (None, {"a": 1, "c": "y"}),
               ({"g": 2, "a": 1, "c": "y"}, {"g": 2, "a": 1, "c": "z"})])


@since(18)
def scenario_011_generated_published(server):
    """publish_generated_columns, a column list that names one, and virtual ones, which never come."""
    with Replayed(GENERATED + "; CREATE TABLE tab2 (a int PRIMARY KEY, b int GENERATED ALWAYS AS (a * 2) STORED, c int); "
                  "CREATE TABLE virt (a int PRIMARY KEY, v int GENERATED ALWAYS AS (a * 3) VIRTUAL); "
                  "CREATE TABLE id (a int, k int GENERATED ALWAYS AS (a + 1) STORED NOT NULL UNIQUE); "
                  "ALTER TABLE id REPLICA IDENTITY USING INDEX id_k_key",
                  "FOR TABLE tab1, tab2 (a, b), virt, id WITH (publish_generated_columns = stored)",
                  of=server) as case:
        case.sql("INSERT INTO tab1 (a, c) VALUES (1, 1)", "UPDATE tab1 SET a = 2",
                 "INSERT INTO tab2 (a, c) VALUES (1, 1)",
                 "INSERT INTO virt (a) VALUES (1)", "INSERT INTO id VALUES (1)", "UPDATE id SET a = 2",
                 f"ALTER PUBLICATION {case.schema} SET (publish_generated_columns = none)",
                 "UPDATE tab1 SET c = 3", "UPDATE tab2 SET a = 5")
        equal([(event["table"], event["key"], event.get("before"), event["after"]) for event in case.events()],
              [("tab1", {"a": 1}, None, {"a": 1, "b": 2, "c": 1}),
               ("tab1", {"a": 2}, {"a": 1}, {"a": 2, "b": 4, "c": 1}),
               ("tab2", {"a": 1}, None, {"a": 1, "b": 2}), ("virt", {"a": 1}, None, {"a": 1}),
               ("id", {"k": 2}, None, {"a": 1, "k": 2}), ("id", {"k": 3}, {"k": 2}, {"a": 2, "k": 3}),
               ("tab1", {"a": 2}, None, {"a": 2, "c": 3}), ("tab2", {"a": 5}, {"a": 1}, {"a": 5, "b": 10})])


def scenario_012_collation(server):
    """Keys that are equal under their collation and differ in bytes: the old one is sent, both are kept apart."""
    with Replayed("CREATE COLLATION nondet (provider = icu, locale = 'und', deterministic = false); "
                  "CREATE TABLE tab1 (a text COLLATE nondet PRIMARY KEY, b text); CREATE TABLE tab2 (a text COLLATE nondet); "
                  "ALTER TABLE tab2 REPLICA IDENTITY FULL", "FOR TABLE tab1, tab2", of=server) as case:
        case.sql("INSERT INTO tab1 VALUES (U&'\\00E4bc', 'foo')", "INSERT INTO tab2 VALUES (U&'\\00E4bc')",
                 "UPDATE tab1 SET b = 'bar' WHERE a = U&'\\0061\\0308bc'", "UPDATE tab1 SET a = U&'\\0061\\0308bc'",
                 "UPDATE tab2 SET a = U&'\\0061\\0308bc'")
        composed, decomposed = "äbc", unicodedata.normalize("NFD", "äbc")
        events = case.replayed("tab1", "tab2")
        equal([(event.get("before"), event["after"]["a"]) for event in events[2:]],
              [(None, composed), ({"a": composed}, decomposed), ({"a": composed}, decomposed)])


# -- 014 -------------------------------------------------------------------------------------------------------------
def scenario_014_binary(server):
    """`binary: true` is refused so far; the values a binary subscription would get arrive as text."""
    with Replayed("CREATE TYPE rgb AS (r int, g int, b int); CREATE TABLE test_numerical (a int PRIMARY KEY, b numeric, c float, "
                  "d bigint); CREATE TABLE test_arrays (a int[] PRIMARY KEY, b numeric[], c text[], d rgb[])",
                  "FOR TABLE test_numerical, test_arrays", of=server, source__binary=True) as case:
        refused(case.courier, 78, "binary")
        case.courier.set("source.binary", False)
        case.sql("INSERT INTO test_numerical VALUES (1, 1.2, 1.3, 10), (2, 'NaN', '-Infinity', -9223372036854775808)",
                 "INSERT INTO test_arrays VALUES ('{1, 2}', '{1.10, 1.2}', '{one, two}', ARRAY[ROW(1, 2, 3)::rgb])",
                 "UPDATE test_arrays SET b = '{42, 1.3, NULL}'",
                 "UPDATE test_numerical SET b = 42, c = NULL WHERE a = 2")
        events = case.replayed(test_numerical="SELECT a, b::text, c, d FROM test_numerical",
                               test_arrays="SELECT a, b::text[], c, d FROM test_arrays")
        equal(events[1]["after"], {"a": 2, "b": "NaN", "c": "-Infinity", "d": -2**63})
        equal(events[3]["after"]["b"], ["42", "1.3", None])
