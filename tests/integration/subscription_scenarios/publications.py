"""Partitions, schemas, row filters, column lists, publications that change, identities: what the publication decides."""
from harness.replica import Replayed
from harness.waiting import equal

from . import since


def changes(events, *tables):
    """(op, table, old key or row, new row) of each, of these tables only where some are named."""
    return [(event["op"], event["table"], event.get("before"), event.get("after")) for event in events
            if not tables or event["table"] in tables]


# -- 013 -------------------------------------------------------------------------------------------------------------
TAB1 = ("CREATE TABLE tab1 (a int PRIMARY KEY, b text) PARTITION BY LIST (a); "
        "CREATE TABLE tab1_1 (b text, a int NOT NULL); ALTER TABLE tab1 ATTACH PARTITION tab1_1 FOR VALUES IN (1, 2, 3); "
        "CREATE TABLE tab1_2 PARTITION OF tab1 FOR VALUES IN (4, 5, 6) PARTITION BY LIST (a); "
        "CREATE TABLE tab1_2_1 PARTITION OF tab1_2 FOR VALUES IN (4, 5); "
        "CREATE TABLE tab1_2_2 PARTITION OF tab1_2 FOR VALUES IN (6); CREATE TABLE tab1_def PARTITION OF tab1 DEFAULT; ")


def scenario_013_partition(server):
    """By leaf: inserts through the root and into a partition, updates within, across one level and two, truncates."""
    with Replayed(TAB1, "FOR TABLE tab1, tab1_1", of=server) as case:
        case.sql("INSERT INTO tab1 VALUES (1, 'x'), (4, 'y'), (0, 'z')", "INSERT INTO tab1_1 (a) VALUES (3)",
                 "UPDATE tab1 SET a = 2 WHERE a = 1", "UPDATE tab1 SET a = 6 WHERE a = 4",
                 "UPDATE tab1 SET a = 5 WHERE a = 2", "DELETE FROM tab1 WHERE a IN (3, 0)", "TRUNCATE tab1_2",
                 "INSERT INTO tab1 VALUES (1, 'x'), (4, 'bar')", "TRUNCATE tab1", "INSERT INTO tab1 VALUES (6, 'u')")
        events = case.replayed("tab1_1", "tab1_2_1", "tab1_2_2", "tab1_def")
        equal(changes(events[:11]), [
            ("insert", "tab1_1", None, {"b": "x", "a": 1}), ("insert", "tab1_2_1", None, {"a": 4, "b": "y"}),
            ("insert", "tab1_def", None, {"a": 0, "b": "z"}), ("insert", "tab1_1", None, {"b": None, "a": 3}),
            ("update", "tab1_1", {"a": 1}, {"b": "x", "a": 2}),
            ("delete", "tab1_2_1", {"a": 4}, None), ("insert", "tab1_2_2", None, {"a": 6, "b": "y"}),
            ("delete", "tab1_1", {"a": 2}, None), ("insert", "tab1_2_1", None, {"a": 5, "b": "x"}),
            ("delete", "tab1_1", {"a": 3}, None), ("delete", "tab1_def", {"a": 0}, None)])
        equal(list(events[4]["after"]), ["b", "a"])
        truncated = [event["table"] for event in events if event["op"] == "truncate"]
        equal((sorted(truncated[:2]), sorted(truncated[2:])),
              (["tab1_2_1", "tab1_2_2"], ["tab1_1", "tab1_2_1", "tab1_2_2", "tab1_def"]))


def scenario_013_partition_via_root(server):
    """By root, in its column order: once though root and leaf are published; a truncated leaf is silent; a partition whose
    parent is not published has its own name; attached and detached in the stream."""
    with Replayed(TAB1 + "CREATE TABLE tab3 (a int PRIMARY KEY, b text) PARTITION BY LIST (a); "
                  "CREATE TABLE tab3_1 PARTITION OF tab3 FOR VALUES IN (0, 1, 2); "
                  "CREATE TABLE tab4 (a int PRIMARY KEY) PARTITION BY LIST (a); "
                  "CREATE TABLE tab4_1 PARTITION OF tab4 FOR VALUES IN (0, 1) PARTITION BY LIST (a); "
                  "CREATE TABLE tab4_1_1 PARTITION OF tab4_1 FOR VALUES IN (0, 1)",
                  "FOR TABLE tab1, tab1_1, tab3_1, tab4_1 WITH (publish_via_partition_root = true)",
                  of=server) as case:
        case.sql("INSERT INTO tab1 VALUES (1, 'x'), (4, 'y')", "INSERT INTO tab1_1 (a) VALUES (3)",
                 "INSERT INTO tab3 VALUES (1, 'z')", "INSERT INTO tab4 VALUES (0)",
                 "UPDATE tab1 SET a = 2 WHERE a = 1",
                 "UPDATE tab1 SET a = 5, b = 'v' WHERE a = 2", "TRUNCATE tab1_2", "TRUNCATE tab4",
                 "TRUNCATE tab1, tab3_1",
                 "CREATE TABLE loose (gone int, b text, a int NOT NULL)", "ALTER TABLE loose DROP gone",
                 # 14 remembers that a table is not published, in spite of ATTACH, if it was written to before.
                 *(["INSERT INTO loose VALUES ('silent', 11)", "DELETE FROM loose"] if server.major > 14 else []),
                 "ALTER TABLE tab1_def RENAME TO tab1_rest",
                 "ALTER TABLE tab1 ATTACH PARTITION loose FOR VALUES IN (11, 12)",
                 "INSERT INTO tab1 VALUES (11, 'loose')", "UPDATE tab1 SET a = 12 WHERE a = 11",
                 "ALTER TABLE tab1 DETACH PARTITION loose", "DELETE FROM tab1", "INSERT INTO tab1 VALUES (9, 'rest')")
        events = case.events()
        equal(changes(events), [
            ("insert", "tab1", None, {"a": 1, "b": "x"}), ("insert", "tab1", None, {"a": 4, "b": "y"}),
            ("insert", "tab1", None, {"a": 3, "b": None}), ("insert", "tab3_1", None, {"a": 1, "b": "z"}),
            ("insert", "tab4_1", None, {"a": 0}), ("update", "tab1", {"a": 1}, {"a": 2, "b": "x"}),
            ("delete", "tab1", {"a": 2}, None), ("insert", "tab1", None, {"a": 5, "b": "v"}),
            ("truncate", "tab4_1", None, None), *sorted(changes(events[9:11])),
            ("insert", "tab1", None, {"a": 11, "b": "loose"}), ("update", "tab1", {"a": 11}, {"a": 12, "b": "loose"}),
            ("insert", "tab1", None, {"a": 9, "b": "rest"})])
        equal({(event["op"], event["table"]) for event in events[9:11]},
              {("truncate", "tab1"), ("truncate", "tab3_1")})
        equal([list(event["after"]) for event in events[:3]], [["a", "b"]] * 3)


# -- 024, 025 --------------------------------------------------------------------------------------------------------
def scenario_024_add_drop_pub(server):
    """`source.publication` names another one between two runs; tables are dropped from one and added in the stream."""
    with Replayed("CREATE TABLE tab_1 (a int PRIMARY KEY); CREATE TABLE tab_2 (a int PRIMARY KEY)", "FOR TABLE tab_1",
                  of=server) as case:
        case.sql(f"CREATE PUBLICATION {case.schema}_2 FOR TABLE tab_2", "INSERT INTO tab_1 VALUES (1)",
                 "INSERT INTO tab_2 VALUES (1)")
        equal(changes(case.events()), [("insert", "tab_1", None, {"a": 1})])
        case.courier.set("source.publication", f"{case.schema}_2")
        case.sql("INSERT INTO tab_1 VALUES (2)", "INSERT INTO tab_2 VALUES (2)",
                 f"ALTER PUBLICATION {case.schema}_2 SET TABLE tab_1", "INSERT INTO tab_1 VALUES (3)",
                 "INSERT INTO tab_2 VALUES (3)", f"ALTER PUBLICATION {case.schema}_2 DROP TABLE tab_1",
                 "INSERT INTO tab_1 VALUES (4)", f"ALTER PUBLICATION {case.schema}_2 ADD TABLE tab_2",
                 "BEGIN; INSERT INTO tab_2 VALUES (4); DELETE FROM tab_2 WHERE a < 4; COMMIT")
        equal(changes(case.events())[1:],
              [("insert", "tab_2", None, {"a": 2}), ("insert", "tab_1", None, {"a": 3}),
               ("insert", "tab_2", None, {"a": 4}),
               *[("delete", "tab_2", {"a": a}, None) for a in (1, 2, 3)]])
        case.server.sql(f"DROP PUBLICATION {case.schema}_2")


@since(15)
def scenario_025_rep_changes_for_schema(server):
    """Tables that come into a published schema, move out of it, and partitions elsewhere; a schema added and dropped."""
    with Replayed("CREATE TABLE tab1 (a int PRIMARY KEY); CREATE TABLE part (a int PRIMARY KEY) PARTITION BY LIST (a)",
                  "FOR TABLES IN SCHEMA CURRENT_SCHEMA", of=server) as case:
        other = f"{case.schema}_other"
        case.sql(f"CREATE SCHEMA {other}", f"CREATE TABLE {other}.part_1 PARTITION OF part FOR VALUES IN (1)",
                 f"CREATE TABLE {other}.alone (a int PRIMARY KEY)", "INSERT INTO tab1 VALUES (1)",
                 "INSERT INTO part VALUES (1)",
                 f"INSERT INTO {other}.alone VALUES (1)", "CREATE TABLE tab2 (a int PRIMARY KEY)",
                 "INSERT INTO tab2 VALUES (1)",
                 f"ALTER TABLE tab1 SET SCHEMA {other}", f"INSERT INTO {other}.tab1 VALUES (2)",
                 f"ALTER TABLE {other}.alone SET SCHEMA {case.schema}", "INSERT INTO alone VALUES (2)",
                 f"ALTER PUBLICATION {case.schema} ADD TABLES IN SCHEMA {other}",
                 f"UPDATE {other}.tab1 SET a = a + 10",
                 f"ALTER PUBLICATION {case.schema} DROP TABLES IN SCHEMA {case.schema}", "DELETE FROM alone",
                 f"DELETE FROM {other}.tab1 WHERE a = 11")
        events = case.events()
        here, there = case.schema, other
        equal([(event["schema"], *change[:2], change[2] or change[3]) for event,
               change in zip(events, changes(events))],
              [(here, "insert", "tab1", {"a": 1}), (there, "insert", "part_1", {"a": 1}),
               (here, "insert", "tab2", {"a": 1}),
               (here, "insert", "alone", {"a": 2}), (there, "update", "tab1", {"a": 1}),
               (there, "update", "tab1", {"a": 2}),
               (there, "delete", "tab1", {"a": 11})])
        case.server.sql(f"DROP SCHEMA {other} CASCADE")


# -- 028 -------------------------------------------------------------------------------------------------------------
@since(15)
def scenario_028_row_filter(server):
    """Both rows pass: update; only the new one: insert; only the old one: delete; neither: nothing. NULL does not pass. A
    TOAST value the filter looks at, left as it was; TRUNCATE is not filtered."""
    with Replayed(
            "CREATE TABLE tab1 (a int PRIMARY KEY, b text); ALTER TABLE tab1 REPLICA IDENTITY FULL; "
            "CREATE TABLE tab2 (c int PRIMARY KEY); CREATE TABLE toast (a text NOT NULL, b text NOT NULL, n int); "
            "CREATE UNIQUE INDEX toast_key ON toast (a, b); ALTER TABLE toast REPLICA IDENTITY USING INDEX toast_key, "
            "ALTER a SET STORAGE EXTERNAL",
            "FOR TABLE tab1 WHERE (a > 1000 AND b <> 'filtered'), TABLE tab2 WHERE (c % 2 = 0), "
            "TABLE toast WHERE (a = repeat('1234567890', 200) AND b < '10')", of=server) as case:
        case.sql("INSERT INTO tab1 VALUES (1, 'no'), (1500, 'filtered'), (1980, 'yes'), (1600, NULL), (1601, 'is')",
                 "INSERT INTO tab2 SELECT generate_series(1, 20)", "UPDATE tab1 SET b = 'now' WHERE a = 1600",
                 "UPDATE tab1 SET b = 'still' WHERE a = 1601", "UPDATE tab1 SET b = 'filtered' WHERE a = 1980",
                 "UPDATE tab1 SET a = 2 WHERE a = 1601", "UPDATE tab1 SET b = NULL WHERE a = 1500",
                 "DELETE FROM tab1 WHERE a < 1600",
                 "UPDATE tab2 SET c = c + 100 WHERE c > 18", "UPDATE tab2 SET c = 201 WHERE c = 2",
                 "DELETE FROM tab2 WHERE c < 9")
        events = case.replayed(tab1="SELECT * FROM tab1 WHERE a > 1000 AND b <> 'filtered'")
        equal(changes(events, "tab1"), [
            ("insert", "tab1", None, {"a": 1980, "b": "yes"}), ("insert", "tab1", None, {"a": 1601, "b": "is"}),
            ("insert", "tab1", None, {"a": 1600, "b": "now"}),
            ("update", "tab1", {"a": 1601, "b": "is"}, {"a": 1601, "b": "still"}),
            ("delete", "tab1", {"a": 1980, "b": "yes"}, None), ("delete", "tab1", {"a": 1601, "b": "still"}, None)])
        equal(changes(events, "tab2")[10:],
              [("update", "tab2", {"c": 20}, {"c": 120}), ("delete", "tab2", {"c": 2}, None),
                                             *[("delete", "tab2", {"c": c}, None) for c in (4, 6, 8)]])
        long = "1234567890" * 200
        case.sql(f"INSERT INTO toast VALUES ('{long}', '1234567890', 1)", "UPDATE toast SET b = '1'",
                 "UPDATE toast SET n = 2",
                 "UPDATE toast SET b = '9'", "TRUNCATE tab1, tab2")
        more = case.events()[len(events):]
        equal(changes(more[:1]), [("insert", "toast", None, {"a": long, "b": "1", "n": 1})])
        equal(sorted(change[:2] for change in changes(more[2:])),
              [("delete", "toast"), ("truncate", "tab1"), ("truncate", "tab2")])
        equal((more[1]["op"], more[1]["key"], more[1]["after"]["n"], more[2]["key"]),
              ("update", {"a": long, "b": "1"}, 2, {"a": long, "b": "1"}))


@since(15)
def scenario_028_row_filter_of_partitions(server):
    """By leaf the leaf's filter holds, via the root the root's; FOR ALL TABLES and a schema have none; children inherit."""
    part = ("CREATE TABLE part (a int PRIMARY KEY, b int) PARTITION BY RANGE (a); "
            "CREATE TABLE less_10k PARTITION OF part FOR VALUES FROM (MINVALUE) TO (10000); "
            "CREATE TABLE more_10k PARTITION OF part FOR VALUES FROM (10000) TO (MAXVALUE); "
            "CREATE TABLE parent (a int); CREATE TABLE child (b text) INHERITS (parent)")
    with Replayed(part, "FOR TABLE part, less_10k WHERE (a < 6000), parent WHERE (a > 15)", of=server) as case:
        case.sql("INSERT INTO part VALUES (1, 100), (7000, 101), (15000, 102), (5500, 300)",
                 "INSERT INTO less_10k VALUES (6005, 1)",
                 "INSERT INTO parent VALUES (10), (20)", "INSERT INTO child VALUES (0, '0'), (30, '30')",
                 f"ALTER PUBLICATION {case.schema} SET (publish_via_partition_root)",
                 f"ALTER PUBLICATION {case.schema} SET TABLE part WHERE (a < 5000), less_10k WHERE (a > 1)",
                 "INSERT INTO part VALUES (4000, 400), (4001, 401), (4002, 402), (16000, 103)",
                 "UPDATE part SET a = 16001 WHERE a = 4001", "UPDATE part SET a = 4003 WHERE a = 4002",
                 "UPDATE part SET a = 5000 WHERE a = 4003")
        equal(changes(case.events()), [
            ("insert", "less_10k", None, {"a": 1, "b": 100}), ("insert", "more_10k", None, {"a": 15000, "b": 102}),
            ("insert", "less_10k", None, {"a": 5500, "b": 300}), ("insert", "parent", None, {"a": 20}),
            ("insert", "child", None, {"a": 30, "b": "30"}),
            *[("insert", "part", None, {"a": 4000 + n, "b": 400 + n}) for n in range(3)],
            ("delete", "part", {"a": 4001}, None), ("update", "part", {"a": 4002}, {"a": 4003, "b": 402}),
            ("delete", "part", {"a": 4003}, None)])


# -- 031, 032, 034 ---------------------------------------------------------------------------------------------------
@since(15)
def scenario_031_column_list(server):
    """Columns off the list are absent; updates of them alone come too; quoted names, user types; the key moves to another
    column of the list; columns added and dropped; a table without list beside."""
    with Replayed(
            "CREATE TABLE tab1 (a int PRIMARY KEY, \"B\" int, c int); CREATE TYPE typ AS ENUM ('blue', 'red'); "
            "CREATE TABLE tab3 (\"a'\" int PRIMARY KEY, b typ, \"c'\" int); CREATE TABLE tab6 (a int PRIMARY KEY, b int NOT NULL, "
            "c int, d int); CREATE TABLE part (a int PRIMARY KEY, b text, c timestamp) PARTITION BY LIST (a); "
            "CREATE TABLE part_1 (c timestamp, b text, a int NOT NULL); ALTER TABLE part ATTACH PARTITION part_1 FOR VALUES IN (1, 2); "
            "CREATE TABLE tab5 (x int, a int PRIMARY KEY)",
            "FOR TABLE tab1 (a, \"B\"), tab3 (\"c'\", \"a'\", b), tab6 (a, b), part (b, a), tab5 "
            "WITH (publish_via_partition_root)", of=server) as case:
        case.sql("INSERT INTO tab1 VALUES (1, 2, 3), (4, 5, 6)", "UPDATE tab1 SET \"B\" = 4 WHERE a = 1",
                 "UPDATE tab1 SET c = 2 * c WHERE a = 4", "UPDATE tab1 SET a = 5 WHERE a = 4",
                 "INSERT INTO tab3 VALUES (1, 'red', 3)",
                 "INSERT INTO tab6 VALUES (1, 22, 333, 4444)", "UPDATE tab6 SET b = b * 2, c = c * 3",
                 "BEGIN; ALTER TABLE tab6 DROP CONSTRAINT tab6_pkey; INSERT INTO tab6 VALUES (2, 33, 444, 5555); "
                 "ALTER TABLE tab6 ADD PRIMARY KEY (b); COMMIT", "UPDATE tab6 SET b = b + 1, d = 0",
                 "DELETE FROM tab6 WHERE a = 1",
                 "INSERT INTO part VALUES (1, 'abc', now())", "UPDATE part SET c = NULL",
                 "ALTER TABLE tab1 ADD d int DEFAULT 1, DROP c",
                 "UPDATE tab1 SET d = 2 WHERE a = 1", "INSERT INTO tab5 VALUES (1, 2)",
                 "ALTER TABLE tab5 ADD y int DEFAULT 9",
                 "UPDATE tab5 SET x = 3")
        events = case.replayed("tab5", tab1='SELECT a, "B" FROM tab1', tab3="SELECT * FROM tab3",
                               tab6="SELECT a, b FROM tab6",
                               part="SELECT a, b FROM part")
        equal(changes(events, "tab1", "tab6", "part"), [
            ("insert", "tab1", None, {"a": 1, "B": 2}), ("insert", "tab1", None, {"a": 4, "B": 5}),
            ("update", "tab1", None, {"a": 1, "B": 4}), ("update", "tab1", None, {"a": 4, "B": 5}),
            ("update", "tab1", {"a": 4}, {"a": 5, "B": 5}), ("insert", "tab6", None, {"a": 1, "b": 22}),
            ("update", "tab6", None, {"a": 1, "b": 44}), ("insert", "tab6", None, {"a": 2, "b": 33}),
            ("update", "tab6", {"b": 44}, {"a": 1, "b": 45}), ("update", "tab6", {"b": 33}, {"a": 2, "b": 34}),
            ("delete", "tab6", {"b": 45}, None), ("insert", "part", None, {"a": 1, "b": "abc"}),
            ("update", "part", None, {"a": 1, "b": "abc"}), ("update", "tab1", None, {"a": 1, "B": 4})])
        equal([event.get("key") for event in events if event["table"] == "tab6"],
              [{"a": 1}, {"a": 1}, None, {"b": 45}, {"b": 34}, {"b": 45}])


def scenario_032_subscribe_use_index(server):
    """Tables without a key that have indexes: the whole old row is sent, whatever a consumer looks it up by. Duplicates,
    NULLs, dropped columns, partial and expression indexes, partitions."""
    with Replayed(
            "CREATE TABLE one (x int, y text); CREATE INDEX ON one (x); CREATE TABLE two (gone text, x int, y text); "
            "ALTER TABLE two DROP gone; CREATE INDEX ON two (lower(y)); CREATE UNIQUE INDEX ON two (x) WHERE x > 5; "
            "CREATE TABLE part (x int, y text) PARTITION BY RANGE (x); CREATE INDEX ON part (y, x); "
            "CREATE TABLE part_0 PARTITION OF part FOR VALUES FROM (0) TO (10); "
            "CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (10) TO (100); "
            "ALTER TABLE one REPLICA IDENTITY FULL; ALTER TABLE two REPLICA IDENTITY FULL; "
            "ALTER TABLE part_0 REPLICA IDENTITY FULL; ALTER TABLE part_1 REPLICA IDENTITY FULL",
            "FOR TABLE one, two, part", of=server) as case:
        for table in ("one", "part"):
            case.sql(f"INSERT INTO {table} SELECT i % 10, CASE WHEN i % 3 > 0 THEN 'User ' || i % 10 END FROM "
                     "generate_series(0, 29) i", f"UPDATE {table} SET x = 10 WHERE x = 1",
                     f"UPDATE {table} SET y = NULL WHERE x = 2", f"DELETE FROM {table} WHERE y IS NULL AND x > 2",
                     f"UPDATE {table} SET y = 'z' WHERE x = 4", f"DELETE FROM {table} WHERE x = 2")
        case.sql("INSERT INTO two VALUES (1, 'A'), (1, 'A'), (2, NULL), (2, 'b'), (7, 'Seven')",
                 "UPDATE two SET x = 8 WHERE x = 7", "UPDATE two SET y = 'c' WHERE lower(y) = 'a'",
                 "DELETE FROM two WHERE y IS NULL")
        events = case.replayed("one", "two", part_0="SELECT * FROM part_0", part_1="SELECT * FROM part_1")
        equal({"key" in event for event in events}, {False})


@since(18)
def scenario_034_temporal(server):
    """Keys and unique constraints WITHOUT OVERLAPS identify a row as any other."""
    columns = "(id int4range NOT NULL, valid_at daterange NOT NULL, a text"
    key = "(id, valid_at WITHOUT OVERLAPS)"
    with Replayed(
            f"CREATE TABLE no_key {columns}); CREATE TABLE pk {columns}, PRIMARY KEY {key}); CREATE TABLE uniq {columns}, "
            f"CONSTRAINT uniq_key UNIQUE {key}); CREATE TABLE full_pk {columns}, PRIMARY KEY {key}); "
            "ALTER TABLE uniq REPLICA IDENTITY USING INDEX uniq_key; ALTER TABLE full_pk REPLICA IDENTITY FULL; "
            "ALTER TABLE no_key REPLICA IDENTITY FULL", "FOR TABLE no_key, pk, uniq, full_pk", of=server) as case:
        tables = ("no_key", "pk", "uniq", "full_pk")
        for table in tables:
            case.sql(f"INSERT INTO {table} SELECT int4range(n, n + 1), '[2000-01-01,2010-01-01)', 'a' FROM generate_series(2, 4) n",
                     f"UPDATE {table} SET a = 'b' WHERE id = '[2,3)'", f"DELETE FROM {table} WHERE id = '[3,4)'",
                     f"UPDATE {table} SET valid_at = '[2001-01-01,)' WHERE id = '[4,5)'")
        events = case.replayed(*tables)
        two, four = ({"id": f"[{n},{n + 1})", "valid_at": "[2000-01-01,2010-01-01)"} for n in (2, 4))
        for table in ("pk", "uniq"):
            found = [event for event in events if event["table"] == table]
            equal([(found[n]["key"], found[n].get("before")) for n in (3, 5)],
                  [(two, None), ({"id": "[4,5)", "valid_at": "[2001-01-01,)"}, four)])
