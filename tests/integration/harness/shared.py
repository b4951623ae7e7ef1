"""One server and one broker for all cases of a program, started when first asked for."""
import atexit
import functools
import itertools
import json
import re

from .checker import read_lines
from .courier import Courier
from .kafka_broker import KafkaBroker
from .postgres import Postgres
from .waiting import require

_numbers = itertools.count(1)

PLAIN = """
CREATE TABLE orders (id int PRIMARY KEY, amount int, note text);
CREATE PUBLICATION shop FOR TABLE orders;
GRANT ALL ON SCHEMA public TO cdc;
"""


@functools.cache
def server():
    """PostgreSQL 15 with one published table, public.orders."""
    made = Postgres()
    atexit.register(made.remove)
    made.__enter__()
    made.sql(PLAIN)
    return made


@functools.cache
def broker():
    return KafkaBroker()


class OwnSlot(Courier):
    """Takes its slot with it, so that those of many cases don't fill the server."""

    def remove(self):
        self.end()
        slot = self.settings["source"]["slot"]
        self.server.wait_free(slot)
        self.server.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", slot)
        super().remove()


def courier(sinks=("files",), of=None, **settings):
    """A pipeline of its own on the shared server: name, slot and folders are new."""
    number = next(_numbers)
    where = of or server()
    settings.setdefault("source__slot", f"slot_{number}")
    return OwnSlot(where, sinks, name=f"shop{number}", brokers=broker().bootstrap if "kafka" in sinks else None,
                   **settings)


def insert(count=1, of=None, table="orders", note="x"):
    """Inserts rows in one transaction; returns the LSN after its commit."""
    where = of or server()
    first = next(_numbers) * 1_000_000
    where.sql(f"INSERT INTO {table} SELECT g, g, %s FROM generate_series(%s, %s) g", note, first, first + count - 1)
    return where.value("SELECT pg_current_wal_insert_lsn()::text")


def refused(pipeline, code, *words, arguments=(), timeout=30):
    process = pipeline.run("--until-lsn", "now", *arguments)
    process.wait_exit(code, timeout)
    for word in words:
        require(process.says(word), lambda: f"nothing about {word!r}:\n{process.log()}")
    return process


def delivered(pipeline, rows=3):
    """Runs the pipeline once, so that it has data and a bookmark."""
    pipeline.start("slot", "create", "-c", pipeline.file).wait_exit(0)
    insert(rows, of=pipeline.server)
    pipeline.drain()
    require(len(pipeline.events()) == rows, f"{len(pipeline.events())} events of {rows}")


def flag_of(process, flag):
    """The value the error prints for a remedy, as --accept-gap=LSN."""
    found = re.findall(re.escape(flag) + r"=([0-9A-Za-z/.@]+)", process.log())
    require(found, lambda: f"no {flag}=… in the error:\n{process.log()}")
    return found[-1]


class Delivery:
    """A schema, a publication and a slot of its own on the shared server (or another one), for one edge case.

    `with Delivery("CREATE TABLE t (…)", "FOR TABLE t") as case: case.sql("INSERT …"); case.events()`"""

    def __init__(self, setup, publication, of=None, sinks=("files",), **settings):
        self.server = of or server()
        self.schema = f"case_{next(_numbers)}"
        settings.setdefault("source__publication", self.schema)
        settings.setdefault("source__slot", self.schema)
        self.server.sql(f"CREATE SCHEMA {self.schema}; GRANT USAGE ON SCHEMA {self.schema} TO cdc")
        self.sql(setup)
        self.courier = courier(sinks, of=self.server, **settings)
        if publication is not None:  # else made later, by the case
            name = settings["source__publication"].replace('"', '""')
            self.sql(f'CREATE PUBLICATION "{name}" {publication}')
        self.server.sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput', false, %s)", settings["source__slot"],
                        settings.get("source__two_phase", False))

    def sql(self, *statements):
        """Runs each in a transaction of its own."""
        connection = self.server.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SET search_path = {self.schema}, public")
                for statement in statements:
                    cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def events(self):
        """Delivers all and returns every event so far, numbers as numbers."""
        self.process = self.courier.drain()
        return self.events_so_far()

    def events_so_far(self):
        return [json.loads(line) for _, line in read_lines(self.courier.files, self.courier.name)]

    def __enter__(self):
        return self

    def __exit__(self, kind, *more):
        self.courier.__exit__(kind, *more)
        self.server.sql(f"DROP PUBLICATION IF EXISTS {self.schema}; DROP SCHEMA {self.schema} CASCADE")
