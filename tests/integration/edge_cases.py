"""Edge cases of positions, transactions and messages that no other program covers. The names carry the numbers of
EDGE_CASES.md. `edge_cases.py [words]` runs the cases named by the words."""
import base64
import contextlib
import io
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from harness.ports import free_port
from harness.postgres import Postgres
from harness.program import cases_of, run_cases
from harness.shared import PLAIN, Delivery, courier, insert, refused, server
from harness.waiting import equal, lsn, require, wait_for

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


def case_22_a_pooler_in_front():
    """PgBouncer refuses what a replication connection asks for: said with the remedy, not tried for ever."""
    for ignored, word in (("extra_float_digits", "replication"), ("*", "replication"),
                          ("extra_float_digits,replication", "IntervalStyle")):
        with pooler(server(), ignored) as port, courier() as pipeline:
            pipeline.set("source.url", server().url(port=port))
            refused(pipeline, 78, f"unsupported startup parameter: {word}", "a pooler", "name the server itself in source.url")
            pipeline.start("check", "-c", pipeline.file).wait_exit(78)


@contextlib.contextmanager
def pooler(of, ignored):
    """A PgBouncer before the server; its port."""
    port, folder = free_port(), Path(tempfile.mkdtemp(prefix="pgcourier-pooler-"))
    folder.chmod(0o755)
    settings = folder / "pgbouncer.ini"
    settings.write_text(f"[databases]\n{of.database} = host=127.0.0.1 port={of.port} user=postgres\n"
                        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
                        f"pool_mode = transaction\nignore_startup_parameters = {ignored}\n")
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([*of.as_postgres, "/usr/sbin/pgbouncer", str(settings)], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log)
    try:
        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_for(listens, lambda: f"PgBouncer: {(folder / 'log').read_text()}")
        yield port
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def case_24_publication_made_after_the_slot():
    """The server's 'publication does not exist' for old WAL is said with its way out; it does not spin or lose."""
    with Delivery(T, None) as case:
        case.sql("INSERT INTO t VALUES (1)", f"CREATE PUBLICATION {case.schema} FOR TABLE t", "INSERT INTO t VALUES (2)")
        before = case.server.slot(case.schema)["confirmed_flush_lsn"]
        process = case.courier.run("--until-lsn", "now")
        code = process.wait_exit(None, 30)
        require(code in (66, 78), f"exit {code}:\n{process.log()}")
        require(process.says("publication"), lambda: process.log())
        equal(case.server.slot(case.schema)["confirmed_flush_lsn"], before)


def case_24_publication_made_anew_on_18():
    """18 does not end with an error where the publication was missing, it leaves out what was changed then."""
    with Postgres(major=18) as newest, Delivery(T, "FOR TABLE t", of=newest) as case:
        case.sql("INSERT INTO t VALUES (1)")
        equal([event["after"]["id"] for event in case.events()], [1])
        case.sql(f"DROP PUBLICATION {case.schema}", "INSERT INTO t VALUES (2)", f"CREATE PUBLICATION {case.schema} FOR TABLE t",
                 "INSERT INTO t VALUES (3)")
        before = newest.slot(case.schema)["confirmed_flush_lsn"]
        process = case.courier.run("--until-lsn", "now")
        process.wait_exit(66, 30)
        require(process.says("did not exist when"), lambda: process.log())
        equal(newest.slot(case.schema)["confirmed_flush_lsn"], before)


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


def case_37_message_that_ends_where_the_run_does():
    """Its LSN is its end: until that LSN it is delivered, and it does not come again."""
    with Delivery(T, "FOR TABLE t") as case:
        position = case.sql("SELECT pg_logical_emit_message(false, 'p', 'last')::text")[0][0]
        case.sql("INSERT INTO t VALUES (1)")
        for count in (1, 1):
            case.courier.run("--until-lsn", position).wait_exit(0)
            equal(len(case.courier.events()), count)
        equal([event["op"] for event in case.events()], ["message", "insert"])


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
