"""Writers in several connections: every kind of change, in transactions of every shape."""
import random
import threading
import time

import psycopg2

from .schema import (BY_INDEX, COMPOSITE, MANY, NOTHING, ORDERS, QUOTED, WITH_FULL, WITHOUT_KEY)
from .waiting import lsn, wait_for

KEYS = 60  # a table: few, so that the same key changes often and in several connections


class Writer(threading.Thread):
    def __init__(self, server, seed, rate, large, bulk, ddl):
        super().__init__(daemon=True)
        self.server = server
        self.seed = seed
        self.random = random.Random(seed)
        self.messages = 0
        self.rate = rate
        self.large = large
        self.bulk = bulk
        self.ddl = ddl
        self.stopping = threading.Event()
        self.paused = threading.Event()
        self.resting = threading.Event()
        self.committed = 0
        self.failed = 0
        self.last_lsn = 0  # before the commit record of the newest transaction known to be committed
        self.error = None

    def run(self):
        connection = None
        while not self.stopping.is_set():
            if self.paused.is_set():
                self.resting.set()
                time.sleep(0.005)
                continue
            self.resting.clear()
            started = time.monotonic()
            try:
                if connection is None:
                    connection = self.server.connect()
                self.last_lsn = max(self.last_lsn, self.transaction(connection))
                self.committed += 1
            except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                # The server is down, a deadlock, …: the truth says what of it was committed.
                self.failed += 1
                if connection is None or connection.closed or not isinstance(
                        error, psycopg2.extensions.TransactionRollbackError):
                    connection = None
                    time.sleep(0.05)
                else:
                    connection.cursor().execute("ROLLBACK")
            except psycopg2.errors.UniqueViolation:
                self.failed += 1
                connection.cursor().execute("ROLLBACK")
            except Exception as error:  # a fault of the workload itself: the test must not pass by silence
                self.error = error
                return
            if self.rate:
                time.sleep(max(0.0, 1 / self.rate - (time.monotonic() - started)))
        if connection is not None:
            connection.close()

    def transaction(self, connection):
        """One round trip: BEGIN … truth_finish() COMMIT. Returns an LSN before its commit record."""
        kind = self.random.random()
        parts = ["BEGIN"]
        if kind < 0.02:
            parts.append(self.truncate())
        elif kind < 0.03 and self.large:
            parts += self.large_rows()
        elif kind < 0.03 + self.bulk:
            parts += self.many_rows()
        elif kind < 0.06 + self.bulk:
            self.messages += 1  # a free message is told from others by its content
            parts.append(f"SELECT emit(false, '{self.seed} {self.messages} ' || {self.text()})")
            parts += self.changes(1)
        elif kind < 0.06 + self.bulk + self.ddl:
            parts += self.definitions()
        else:
            parts += self.changes(self.random.randint(1, 8))
        if self.random.random() < 0.15:
            parts += ["SAVEPOINT undone", *self.changes(self.random.randint(1, 4)), "ROLLBACK TO undone"]
            parts += self.changes(1)
        if self.random.random() < 0.1:
            parts += ["SAVEPOINT kept", *self.changes(2), "RELEASE kept"]
        rolled_back = self.random.random() < 0.07
        parts.append("SELECT truth_finish()")
        with connection.cursor() as cursor:
            cursor.execute("; ".join(parts))
            position = lsn(cursor.fetchone()[0])
            cursor.execute("ROLLBACK" if rolled_back else "COMMIT")
        return 0 if rolled_back else position

    # -- statements --------------------------------------------------------------------------------------------
    def text(self, size=None):
        size = size or self.random.choice((3, 10, 30, 120))
        letters = "abcdefghijklmnopqrstuvwxyz0123456789 \"\\/,{}\t€ß漢"
        return "'" + "".join(self.random.choices(letters, k=size)).replace("'", "''") + "'"

    def number(self):
        return self.random.randint(-2_000_000_000, 2_000_000_000)

    def changes(self, count):
        return [self.change() for _ in range(count)]

    def change(self):
        r = self.random
        table = r.choices((ORDERS, WITH_FULL, WITHOUT_KEY, BY_INDEX, NOTHING, COMPOSITE, QUOTED, r.choice(MANY)),
                          (25, 12, 10, 10, 5, 12, 8, 18))[0]
        key = r.randint(1, KEYS)
        kind = r.random()
        if table is NOTHING:  # updates and deletes are refused by the server
            return f"INSERT INTO nothing VALUES (nextval('truth_id_seq'), {self.number()}, {self.text()}, NULL)"
        if table is WITHOUT_KEY:
            if kind < 0.6:
                return f"INSERT INTO without_key VALUES ({key}, {self.number()}, {self.text()})"
            if kind < 0.8:
                return f"UPDATE without_key SET amount = {self.number()} WHERE id = {key}"
            return f"DELETE FROM without_key WHERE id = {key}"
        if table is COMPOSITE:
            where = f"a = {key % 7} AND b = 'b{key}'"
            if kind < 0.5:
                return (f"INSERT INTO composite VALUES ({key % 7}, 'b{key}', {self.number()}) "
                        f"ON CONFLICT (a, b) DO UPDATE SET amount = EXCLUDED.amount")
            if kind < 0.65:
                return (f"UPDATE composite SET b = 'b{r.randint(100, 10**9)}' WHERE {where}")
            if kind < 0.8:
                return f"UPDATE composite SET amount = {self.number()} WHERE {where}"
            return f"DELETE FROM composite WHERE {where}"
        if table is BY_INDEX:
            if kind < 0.5:
                return (f"INSERT INTO by_index VALUES ({key}, 'c{r.randint(1, 10**9)}', {self.number()}) "
                        f"ON CONFLICT (id) DO UPDATE SET amount = EXCLUDED.amount")
            if kind < 0.7:
                return f"UPDATE by_index SET code = 'c{r.randint(1, 10**9)}' WHERE id = {key}"
            return f"DELETE FROM by_index WHERE id = {key}"
        if table is QUOTED:
            if kind < 0.6:
                return (f'INSERT INTO {QUOTED.quoted} ("Id", amount) VALUES ({key}, {self.number()}) '
                        f'ON CONFLICT ("Id") DO UPDATE SET amount = EXCLUDED.amount, "a ""b""" = {self.text()}')
            return f'DELETE FROM {QUOTED.quoted} WHERE "Id" = {key}'
        if kind < 0.45:
            return (f"INSERT INTO {table.quoted} (id, amount, note, paid) VALUES ({key}, {self.number()}, "
                    f"{self.text()}, {r.choice(('true', 'false', 'NULL'))}) "
                    f"ON CONFLICT (id) DO UPDATE SET amount = EXCLUDED.amount, note = EXCLUDED.note")
        if kind < 0.7:
            return f"UPDATE {table.quoted} SET amount = {self.number()}, paid = NOT paid WHERE id = {key}"
        if kind < 0.8:
            return f"UPDATE {table.quoted} SET id = {r.randint(1000, 10**9)} WHERE id = {key}"
        if table.big and kind < 0.9:
            return f"UPDATE {table.quoted} SET body = repeat({self.text(30)}, {r.randint(70, 400)}) WHERE id = {key}"
        return f"DELETE FROM {table.quoted} WHERE id = {key}"

    def truncate(self):
        count = self.random.randint(1, 3)
        names = ", ".join(table.quoted for table in self.random.sample(MANY, count))
        return f"TRUNCATE {names} {self.random.choice(('', 'RESTART IDENTITY', 'CASCADE'))}"

    def definitions(self):
        """A table's columns change in the middle of a transaction that writes to it, sometimes for a while only."""
        table = self.random.choice(MANY).quoted
        row = (f"INSERT INTO {table} (id, amount) VALUES ({self.random.randint(10**3, 10**9)}, {self.number()}) "
               "ON CONFLICT DO NOTHING")
        add = f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS extra int DEFAULT {self.random.randint(1, 9)}"
        return self.random.choice((
            [row, add, f"UPDATE {table} SET extra = id, paid = true", *self.changes(2)],
            [row, f"ALTER TABLE {table} DROP COLUMN IF EXISTS extra", f"UPDATE {table} SET paid = false", *self.changes(2)],
            [row, "SAVEPOINT defined", add, f"UPDATE {table} SET extra = 7", "ROLLBACK TO defined",
             f"UPDATE {table} SET paid = true"],
            [row, f"ALTER TABLE {table} ALTER amount TYPE {self.random.choice(('int', 'bigint'))}",
             f"UPDATE {table} SET paid = true"],
        ))

    def large_rows(self):
        """A row of 1 MB, then an update that leaves its TOAST value as it is."""
        key, table = self.random.randint(1, KEYS), self.random.choice((ORDERS, WITH_FULL))
        return [f"INSERT INTO {table.quoted} (id, body) VALUES ({key}, repeat({self.text(100)}, 10000)) "
                f"ON CONFLICT (id) DO UPDATE SET body = EXCLUDED.body",
                f"UPDATE {table.quoted} SET amount = {self.number()} WHERE id = {key}"]

    def many_rows(self):
        first = self.random.randint(10**4, 10**9)
        count = self.random.choice((50, 200, 600))
        table = self.random.choice(MANY)
        return [f"INSERT INTO {table.quoted} (id, amount, note) SELECT g, g, {self.text()} || g "
                f"FROM generate_series({first}, {first + count - 1}) g ON CONFLICT (id) DO NOTHING",
                f"SELECT emit(true, {self.text()})",
                f"UPDATE {table.quoted} SET paid = true WHERE id BETWEEN {first} AND {first + count // 2}",
                f"DELETE FROM {table.quoted} WHERE id >= {first}"]


class Workload:
    """`with Workload(server, seed) as load:` writes until the end of the block. rate: transactions a second and
    writer, 0 for as many as it can; large: rows of 1 MB too; bulk: the share of transactions with many rows; ddl: of those
    that change a table's columns."""

    def __init__(self, server, seed=1, writers=4, rate=40, large=True, bulk=0.03, ddl=0.0):
        self.server = server
        self.writers = [Writer(server, seed * 1000 + number, rate, large, bulk, ddl) for number in range(writers)]

    @property
    def committed(self):
        self.check()
        return sum(writer.committed for writer in self.writers)

    @property
    def last_lsn(self):
        """The newest transaction known to be committed has its commit record at or after this LSN."""
        return max(writer.last_lsn for writer in self.writers)

    def check(self):
        for writer in self.writers:
            if writer.error:
                raise writer.error

    def wait_commits(self, count, timeout=30):
        """Until that many more transactions are committed."""
        goal = self.committed + count
        wait_for(lambda: self.committed >= goal, f"{count} commits of the workload", timeout)

    def pause(self):
        for writer in self.writers:
            writer.paused.set()
        wait_for(lambda: all(writer.resting.is_set() or not writer.is_alive() for writer in self.writers),
                 "the writers to pause")
        self.check()

    def resume(self):
        for writer in self.writers:
            writer.resting.clear()
            writer.paused.clear()

    def stop(self):
        for writer in self.writers:
            writer.stopping.set()
        for writer in self.writers:
            writer.join(30)
        self.check()

    def __enter__(self):
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, kind, *_):
        for writer in self.writers:
            writer.stopping.set()
        for writer in self.writers:
            writer.join(30)
        if kind is None:
            self.check()
