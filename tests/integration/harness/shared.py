"""One server and one broker for all cases of a program, started when first asked for."""
import atexit
import functools
import itertools

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


def courier(sinks=("files",), of=None, **settings):
    """A pipeline of its own on the shared server: name, slot and folders are new."""
    number = next(_numbers)
    where = of or server()
    settings.setdefault("source__slot", f"slot_{number}")
    return Courier(where, sinks, name=f"shop{number}", brokers=broker().bootstrap if "kafka" in sinks else None,
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
