"""What was really committed, read by SQL, and how one delivered event is compared with one change of it."""
import base64
import hashlib
import json

from .schema import BY_NAME, PREFIX


class Change:
    __slots__ = ("table", "op", "old", "new")

    def __init__(self, table, op, old, new):
        self.table = table
        self.op = op
        self.old = old
        self.new = new


class Transaction:
    __slots__ = ("xid", "ticket", "changes")

    def __init__(self, xid, ticket):
        self.xid = xid
        self.ticket = ticket  # rises in commit order
        self.changes = []


class Truth:
    """transactions: by xid. free_messages: contents of the non-transactional messages."""

    def __init__(self, transactions, free_messages=()):
        self.transactions = {transaction.xid: transaction for transaction in transactions}
        self.free_messages = set(free_messages)

    @property
    def changes(self):
        return sum(len(transaction.changes) for transaction in self.transactions.values())

    @staticmethod
    def of(server):
        transactions, free = {}, []
        connection = server.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT c.xid, c.ticket, t.tab, t.op, t.old, t.new FROM truth t JOIN truth_commit c "
                               "USING (xid) ORDER BY t.id")
                for xid, ticket, table, op, old, new in cursor:
                    if op == "free message":
                        free.append(new["content"])
                        continue
                    transaction = transactions.get(xid)
                    if transaction is None:
                        transaction = transactions[xid] = Transaction(xid, ticket)
                    transaction.changes.append(Change(table, op, old, new))
        finally:
            connection.close()
        return Truth(transactions.values(), free)


def parse(text):
    """An event; its numbers stay text, so that no digit is lost."""
    return json.loads(text, parse_int=str, parse_float=str)


def as_text(value):
    """A column's value as the truth has it."""
    if value is None or value is True or value is False:
        return {None: None, True: "true", False: "false"}[value]
    if len(value) > 200:
        return "md5:" + hashlib.md5(value.encode()).hexdigest()
    return value


def row_as_text(row):
    return {column: as_text(value) for column, value in row.items()}


def content_of(event):
    return base64.b64decode(event["content"]).decode()


def is_ours(event):
    """Whether the event is of the workload (a test may write to other tables as well)."""
    if event["op"] == "message":
        return event["prefix"] == PREFIX
    return f'{event["schema"]}.{event["table"]}' in BY_NAME


def expected_key(table, change):
    row = change.old if change.op == "delete" else change.new
    return {column: row[column] for column in table.key} if table.key else None


def key_changes(table, change):
    return bool(change.op == "update" and table.key and
                any(change.old[column] != change.new[column] for column in table.key))


def difference(event, change):
    """None when the event says what the truth says; else the difference in words. A Kafka record of a key change is
    compared by the caller, who knows which half it is."""
    if event["op"] != change.op:
        return f"op {event['op']} instead of {change.op}"
    if change.op == "message":
        if content_of(event) != change.new["content"] or event["transactional"] is not True:
            return f"message {content_of(event)!r} instead of {change.new['content']!r}"
        return None
    if f'{event["schema"]}.{event["table"]}' != change.table:
        return f"table {event['schema']}.{event['table']} instead of {change.table}"
    if change.op == "truncate":
        return None
    table = BY_NAME[change.table]
    key = row_as_text(event["key"]) if "key" in event else None
    if key != expected_key(table, change):
        return f"key {key} instead of {expected_key(table, change)}"
    return before_difference(event, change, table) or after_difference(event, change)


def before_difference(event, change, table):
    before = row_as_text(event["before"]) if event.get("before") is not None else None
    if change.op == "insert":
        return "an insert with before" if before is not None else None
    if table.identity == "full":
        return None if before == change.old else f"before {before} instead of {change.old}"
    if before is None:
        if change.op == "delete" or key_changes(table, change):
            return "before is missing"
        return None
    wrong = {column for column in before if before[column] != change.old.get(column)}
    if wrong or not set(table.key) <= set(before):
        return f"before {before} instead of (part of) {change.old}"
    return None


def after_difference(event, change):
    if change.op == "delete":
        return "a delete with after" if event.get("after") is not None else None
    if event.get("after") is None:
        return "after is missing"
    after = row_as_text(event["after"])
    unchanged = event.get("unchanged", [])
    for column in unchanged:
        if column in after:
            return f"{column} is both unchanged and in after"
        if change.op != "update" or change.old.get(column) != change.new.get(column):
            return f"{column} is said to be unchanged and is not"
        after[column] = change.new[column]
    return None if after == change.new else f"after {after} instead of {change.new}"
