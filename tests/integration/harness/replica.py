"""The tables that events make: an oracle that applies them as a subscriber would, and is then compared with the server."""
import json

from .checker import Problems, check_unit_marks, read_lines, units_of
from .shared import Delivery
from .truth import parse
from .waiting import equal, require

# As pgcourier's session has it, so that row_to_json writes the values that events have.
SESSION = "SET TimeZone = 'UTC'; SET IntervalStyle = iso_8601; SET DateStyle = ISO; SET extra_float_digits = 1"


def identity(row, columns):
    return json.dumps(row if columns is None else [row.get(column) for column in columns], sort_keys=True)


class Table:
    """Rows by key; of a table without one, by the whole row, as often as they are there."""

    def __init__(self):
        self.columns = None
        self.rows = {}

    def all_rows(self):
        return [row for same in self.rows.values() for row in same]

    def found_by(self, columns):
        if columns != self.columns:
            rows, self.columns, self.rows = self.all_rows(), columns, {}
            for row in rows:
                self.add(row)

    def add(self, row):
        self.rows.setdefault(identity(row, self.columns), []).append(row)

    def take(self, wanted, event):
        same = self.rows.get(identity(wanted, self.columns))
        require(same, lambda: f"no row for {event}")
        row = same.pop()
        if not same:
            del self.rows[identity(wanted, self.columns)]
        return row


class Replica:
    """REQUIRES: every row was inserted by an event."""

    def __init__(self):
        self.tables = {}
        self.prepared = {}  # by gid: its changes

    def rows(self, table):
        return self.tables.get(table, Table()).all_rows()

    def apply(self, event):
        if event["op"] == "commit_prepared":
            for change in self.prepared.pop(event["gid"]):
                self.change(change)
        elif event["op"] == "rollback_prepared":
            del self.prepared[event["gid"]]
        elif "gid" in event:
            self.prepared.setdefault(event["gid"], []).append(event)
        else:
            self.change(event)

    def change(self, event):
        if event["op"] in ("message", "prepare"):
            return
        table = self.tables.setdefault(f'{event["schema"]}.{event["table"]}', Table())
        if event["op"] == "truncate":
            table.rows = {}
            return
        table.found_by(tuple(event["key"]) if "key" in event else None)
        old = self.old_row(table, event) if event["op"] in ("update", "delete") else {}
        if event["op"] == "delete":
            require("after" not in event, lambda: f"a delete with after: {event}")
            return
        after = dict(event["after"])
        for column in event.get("unchanged", ()):
            require(column not in after, lambda: f"{column} is both unchanged and in after: {event}")
            after[column] = old[column]
        require(table.columns is None or identity(after, table.columns) not in table.rows,
                lambda: f"there already: {event}")
        if table.columns is not None:
            equal([after[column] for column in table.columns], list(event["key"].values()))
        table.add(after)

    @staticmethod
    def old_row(table, event):
        before = event.get("before")
        if event["op"] == "delete" or table.columns is None:
            require(before is not None, lambda: f"before is missing: {event}")
        whole = before is not None and set(table.columns or ()) <= set(before)
        old = table.take(before if whole else event["key"], event)
        differs = {column for column in before or () if column in old and old[column] != before[column]}
        require(not differs, lambda: f"before differs from what the row was in {differs}: {event}, {old}")
        return old


def roll_back_prepared(database):
    """What a failed case left prepared would block the next slot."""
    for (name,) in database.sql("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"):
        database.sql(f"ROLLBACK PREPARED '{name}'")


class Replayed(Delivery):
    """A Delivery whose events are applied to a Replica: `with Replayed(…) as case: case.sql(…); case.replayed("t")`"""

    def replayed(self, *tables, **queries):
        """Delivers all, applies every event so far, and compares tables with the server: all columns, or a query's.
        Returns the events, numbers as numbers."""
        events = self.events()
        self.check_marks()
        replica = Replica()
        for event in self.courier.events():
            replica.apply(event)
        for table, query in {**dict.fromkeys(tables), **queries}.items():
            found = sorted(json.dumps(row, sort_keys=True) for row in replica.rows(f"{self.schema}.{table}"))
            wanted = self.sql(SESSION,
                              f"SELECT row_to_json(a_row)::text FROM ({query or f'SELECT * FROM {table}'}) a_row")
            wanted = sorted(json.dumps(parse(row), sort_keys=True) for (row,) in wanted)
            require(found == wanted, lambda table=table, found=found, wanted=wanted:
                    f"{table}: only by events {sorted(set(found) - set(wanted))[:3]}, only on the server "
                    f"{sorted(set(wanted) - set(found))[:3]}, {len(found)} and {len(wanted)} rows")
        return events

    def check_marks(self):
        problems = Problems()
        for file, unit in units_of(read_lines(self.courier.files, self.courier.name), problems):
            check_unit_marks(file, unit, problems)
        problems.raise_any("the files sink")

    def __exit__(self, *exception):
        roll_back_prepared(self.server)
        super().__exit__(*exception)

    def streamed(self):
        """How many transactions the server has streamed while they were in progress."""
        return self.server.value("SELECT stream_txns FROM pg_stat_replication_slots WHERE slot_name = %s", self.schema)
