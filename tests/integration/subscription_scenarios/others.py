"""A server that is a subscriber itself (022, 030), privileges (027), and the bugs of 100_bugs."""
import contextlib

from harness.replica import Replayed, roll_back_prepared
from harness.shared import refused
from harness.waiting import equal, require, wait_for

from . import since

TABLE = "CREATE TABLE tab (a int PRIMARY KEY, b text)"


class Downstream(Replayed):
    """The database that is read subscribes to one beside it, `up`, which has the same schema and the table `tab`.
    What is seen there is flushed (synchronous_commit), so that a run until `now` delivers it."""

    def __init__(self, server, name, options, **settings):
        self.up = server.other_database(f"up_{name}")
        super().__init__(TABLE, "FOR TABLE tab", of=server.other_database(f"down_{name}"), **settings)
        self.up.sql(f"CREATE SCHEMA {self.schema}; SET search_path = {self.schema}; {TABLE}; "
                    f"CREATE PUBLICATION {self.schema} FOR TABLE tab")
        self.up.sql(f"SELECT pg_create_logical_replication_slot('{self.schema}_up', 'pgoutput')")
        self.sql(f"CREATE SUBSCRIPTION {self.schema} CONNECTION '{self.up.url('postgres')}' PUBLICATION {self.schema} "
                 f"WITH (create_slot = false, slot_name = {self.schema}_up, copy_data = false, "
                 f"synchronous_commit = on {options})")

    def above(self, statement):
        with contextlib.closing(self.up.connect(options=f"-c search_path={self.schema}")) as connection:
            connection.cursor().execute(statement)

    def wait_rows(self, *keys):
        wait_for(lambda: self.sql("SELECT array_agg(a ORDER BY a) FROM tab")[0][0] == list(keys), f"the rows {keys}")

    def __exit__(self, *exception):
        roll_back_prepared(self.up)
        self.sql(f"DROP SUBSCRIPTION {self.schema}")
        super().__exit__(*exception)


@since(15)
def scenario_022_twophase_cascade(server):
    """The subscriber that is read has two_phase: its apply worker prepares and commits what the publisher did."""
    with Downstream(server, "022", ", two_phase = true", source__two_phase=True) as case:
        wait_for(lambda: case.sql("SELECT subtwophasestate FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database "
                                  "WHERE datname = current_database())")[0][0] == "e", "two_phase to be enabled")
        case.above("BEGIN; INSERT INTO tab VALUES (1); SAVEPOINT s; INSERT INTO tab VALUES (2); ROLLBACK TO s; "
                   "INSERT INTO tab SELECT g, repeat('x', 100) FROM generate_series(10, 1500) g; PREPARE TRANSACTION 'outer'")
        prepared = "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"
        wait_for(lambda: case.server.value(prepared) == 1, "the subscriber to have prepared it")
        case.sql("INSERT INTO tab VALUES (3)")
        equal([event["key"]["a"] for event in case.replayed() if "key" in event and "gid" not in event], [3])
        case.above("COMMIT PREPARED 'outer'")
        case.above("BEGIN; INSERT INTO tab VALUES (4); PREPARE TRANSACTION 'lost'")
        case.above("ROLLBACK PREPARED 'lost'")
        case.above("INSERT INTO tab VALUES (5)")
        case.wait_rows(1, 3, 5, *range(10, 1501))
        events = case.replayed("tab")
        changes = [event for event in events if "key" in event]
        # What was rolled back before it was decoded has lost its changes: the server can't read them any more.
        equal([event["key"]["a"] for event in changes], [1, *range(10, 1501), 3, 5])
        equal([event["op"] for event in events if event["op"] != "insert"],
              ["prepare", "commit_prepared", "prepare", "rollback_prepared"])
        equal(["origin" in event for event in (changes[0], *changes[-2:])], [True, False, True])


def scenario_030_origin(server):
    """`origin: any`: what the subscriber applied names its origin; `none` (16): what was written here alone."""
    with Downstream(server, "030", "") as case:
        case.sql("INSERT INTO tab VALUES (1)")
        case.above("INSERT INTO tab VALUES (2), (3)")
        case.wait_rows(1, 2, 3)
        case.sql("UPDATE tab SET b = 'here' WHERE a = 2")
        origin = case.sql("SELECT 'pg_' || oid FROM pg_subscription WHERE subname = %s" % f"'{case.schema}'")[0][0]
        events = case.replayed("tab")
        equal([(event["op"], event["key"]["a"], event.get("origin")) for event in events],
              [("insert", 1, None), ("insert", 2, origin), ("insert", 3, origin), ("update", 2, None)])
        case.courier.set("source.origin", "none")
        if server.major < 16:
            refused(case.courier, 78, "origin")
            return
        case.above("DELETE FROM tab WHERE a = 3")
        case.wait_rows(1, 2)
        case.sql("INSERT INTO tab VALUES (4)")
        equal([(event["op"], event["key"]["a"]) for event in case.events()[len(events):]], [("insert", 4)])


# -- 027 -------------------------------------------------------------------------------------------------------------
def scenario_027_nosuperuser(server):
    """The role of every scenario, cdc, is none. REPLICATION is needed; ownership and row security do not matter."""
    with Replayed(TABLE, "FOR TABLE tab", of=server) as case:
        try:
            case.sql("CREATE ROLE plain LOGIN", "ALTER TABLE tab ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
                     "CREATE POLICY none ON tab USING (false)",
                     f"GRANT USAGE, CREATE ON SCHEMA {case.schema} TO plain",
                     "ALTER TABLE tab OWNER TO plain", "INSERT INTO tab VALUES (1, 'unseen')")
            case.courier.set("source.url", server.url("plain"))
            refused(case.courier, 77, "REPLICATION")
            case.courier.set("source.url", server.url())
            equal([event["after"] for event in case.replayed("tab")], [{"a": 1, "b": "unseen"}])
        finally:
            case.sql("REASSIGN OWNED BY plain TO postgres; DROP OWNED BY plain; DROP ROLE plain")


# -- 100 -------------------------------------------------------------------------------------------------------------
def scenario_100_bugs(server):
    """Index predicates that call functions, columns that were added with a default or dropped under FULL, an identity moved
    to another index."""
    with Replayed(
            "CREATE TABLE tab1 (a int PRIMARY KEY, b int); CREATE FUNCTION double(x int) RETURNS int IMMUTABLE LANGUAGE SQL "
            "AS 'select x * 2'; CREATE INDEX ON tab1 (b) WHERE a > double(1); "
            "CREATE TABLE idx (a int NOT NULL, b int NOT NULL); CREATE UNIQUE INDEX idx_a ON idx (a); "
            "CREATE UNIQUE INDEX idx_b ON idx (b); ALTER TABLE idx REPLICA IDENTITY USING INDEX idx_a; "
            "CREATE TABLE dropped_cols (a int, b_drop int, c int); ALTER TABLE dropped_cols REPLICA IDENTITY FULL; "
            "CREATE TABLE tab_default (a int); ALTER TABLE tab_default REPLICA IDENTITY FULL",
            "FOR TABLE tab1, idx, dropped_cols, tab_default", of=server) as case:
        case.sql("INSERT INTO tab1 VALUES (1, 2)", "INSERT INTO idx VALUES (1, 1), (2, 2)",
                 "BEGIN; ALTER TABLE idx REPLICA IDENTITY USING INDEX idx_b; UPDATE idx SET a = -a WHERE a = 1; "
                 "DELETE FROM idx WHERE a = 2; COMMIT", "UPDATE idx SET b = 10",
                 "INSERT INTO dropped_cols VALUES (1, 1, 1)", "ALTER TABLE dropped_cols DROP b_drop",
                 "UPDATE dropped_cols SET a = 100",
                 "INSERT INTO tab_default VALUES (1)", "ALTER TABLE tab_default ADD b bool DEFAULT false NOT NULL",
                 "INSERT INTO tab_default VALUES (2, true)", "UPDATE tab_default SET a = a + 1")
        events = case.events()
        case.check_marks()
        seen = {table: [(event["op"], event.get("key"), event.get("before"), event.get("after")) for event in events
                        if event["table"] == table] for table in ("idx", "dropped_cols", "tab_default")}
        equal(seen["idx"][2:], [("update", {"b": 1}, None, {"a": -1, "b": 1}), ("delete", {"b": 2}, {"b": 2}, None),
                                ("update", {"b": 10}, {"b": 1}, {"a": -1, "b": 10})])
        equal(seen["dropped_cols"][1], ("update", None, {"a": 1, "c": 1}, {"a": 100, "c": 1}))
        equal(seen["tab_default"][2:], [("update", None, {"a": 1, "b": False}, {"a": 2, "b": False}),
                                        ("update", None, {"a": 2, "b": True}, {"a": 3, "b": True})])


def scenario_100_bugs_for_all_tables(server):
    """Temporary and unlogged tables do not matter; a schema is renamed and made anew within a transaction."""
    with Replayed(TABLE, "FOR ALL TABLES", of=server) as case:
        first, second = f"{case.schema}_1", f"{case.schema}_2"
        case.sql(f"CREATE SCHEMA {first}", f"CREATE TABLE {first}.t1 (c1 int)",
                 "CREATE TEMP TABLE tt1 AS SELECT 1 AS a; UPDATE tt1 SET a = 2",
                 "CREATE UNLOGGED TABLE tu1 AS SELECT 1 AS a; UPDATE tu1 SET a = 2",
                 f"BEGIN; INSERT INTO {first}.t1 VALUES (1); ALTER SCHEMA {first} RENAME TO {second}; CREATE SCHEMA {first}; "
                 f"CREATE TABLE {first}.t1 (c1 int); INSERT INTO {first}.t1 VALUES (2); INSERT INTO {second}.t1 VALUES (3); COMMIT")
        try:
            # Before 16 the server keeps the name it has sent.
            equal([(event["schema"], event["after"]) for event in case.events()],
                  [(first, {"c1": 1}), (first, {"c1": 2}), (second if server.major > 15 else first, {"c1": 3})])
        finally:
            case.server.sql(f"DROP SCHEMA {first}, {second} CASCADE")


def scenario_100_bugs_table_locked(server):
    """Ours: whatever holds a lock on a published table, such as an ALTER TABLE that is not done, keeps nobody from starting
    to read the stream: what is asked of the catalog before that takes no lock."""
    with Replayed(TABLE, "FOR TABLE tab",
                  of=server) as case, contextlib.closing(server.connect(autocommit=False)) as holder:
        case.sql("INSERT INTO tab VALUES (1)")
        holder.cursor().execute(f"LOCK TABLE {case.schema}.tab")
        process = case.courier.run_streaming()
        wait_for(lambda: case.events_so_far(), lambda: f"the event:\n{process.log()}")
        holder.rollback()
        process.terminate()
        require(process.says("streaming"), process.log())
