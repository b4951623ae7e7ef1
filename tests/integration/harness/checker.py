"""Compares what was delivered with the truth: files exactly once and whole, Kafka at least once and in order."""
import re
import time
from collections import Counter

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from .data_files import file_names, read_lines
from .schema import BY_NAME
from .truth import content_of, difference, is_ours, key_changes, parse, row_as_text
from .waiting import TestFailure, lsn


class Problems:
    """What is wrong; the first of each kind in full, the rest counted."""

    def __init__(self):
        self.found = {}

    def add(self, kind, text):
        self.found.setdefault(kind, []).append(text)

    def raise_any(self, where):
        if self.found:
            lines = [f"  {kind} ({len(texts)}): " + "; ".join(texts[:4]) for kind, texts in self.found.items()]
            raise TestFailure(f"{where} does not hold the truth:\n" + "\n".join(lines))


# -- files ---------------------------------------------------------------------------------------------------------
def units_of(lines, problems):
    """Groups lines into units: (file, events). A unit is a transaction or one free message."""
    unit, file_of_unit, identity = [], None, None
    for file, line in lines:
        if not line.endswith(b"\n"):
            problems.add("torn line", f"{file}: {line[-60:]!r}")
            continue
        event = parse(line)
        this = (event["commit_lsn"], event.get("xid"))
        if unit and (this != identity or file != file_of_unit or event.get("seq", "0") == "0"):
            yield file_of_unit, unit
            unit = []
        unit.append(event)
        identity, file_of_unit = this, file
    if unit:
        yield file_of_unit, unit


def check_unit_marks(file, unit, problems):
    """seq counts 0, 1, …; last and end_lsn stand on the last event and only there."""
    where = f"{file} {unit[0]['commit_lsn']} xid {unit[0].get('xid')}"
    if "xid" not in unit[0]:  # a free message: no seq, no xid, no commit time
        if "seq" in unit[0] or "commit_ts" in unit[0]:
            problems.add("free message with marks", where)
        return
    if [int(event["seq"]) for event in unit] != list(range(len(unit))):
        problems.add("torn (seq)", f"{where}: {[event['seq'] for event in unit][:20]}")
    marked = [n for n, event in enumerate(unit) if event.get("last") or "end_lsn" in event]
    if marked != [len(unit) - 1] or unit[-1].get("last") is not True or "end_lsn" not in unit[-1]:
        problems.add("torn (last)", f"{where}: marks at {marked} of {len(unit)}")
    elif lsn(unit[-1]["end_lsn"]) <= lsn(unit[-1]["commit_lsn"]):
        problems.add("end_lsn", f"{where}: {unit[-1]['end_lsn']}")


def check_changes(where, unit, transaction, problems):
    if len(unit) != len(transaction.changes):
        problems.add("torn (count)", f"{where}: {len(unit)} events of {len(transaction.changes)} changes")
        return
    for index, event in enumerate(unit):
        wrong = match(event, index, transaction)[1]
        if wrong:
            problems.add("wrong event", f"{where} seq {index}: {wrong}")


def match(event, index, transaction):
    """(index of the change this event is, difference). The tables of one TRUNCATE come in the server's order."""
    change = transaction.changes[index]
    if event["op"] == change.op == "truncate":
        first = last = index
        while first > 0 and transaction.changes[first - 1].op == "truncate":
            first -= 1
        while last + 1 < len(transaction.changes) and transaction.changes[last + 1].op == "truncate":
            last += 1
        name = f'{event["schema"]}.{event["table"]}'
        for candidate in range(first, last + 1):
            if transaction.changes[candidate].table == name:
                return candidate, None
    return index, difference(event, change)


def check_free_messages(seen, truth, problems, repeats_allowed):
    for content, times in Counter(seen).items():
        if times > 1 and not repeats_allowed:
            problems.add("duplicated message", content)
    for content in truth.free_messages - set(seen):
        problems.add("lost message", content)


def check_files(folder, truth, name="shop", complete=True):
    """Each committed change exactly once, whole transactions, in commit order; nothing else. Returns counts.
    complete=False: pgcourier was stopped early, only a prefix of the truth is asked for."""
    problems = Problems()
    opened = [path.name for path in file_names(folder, name) if path.name.endswith(".open")]
    if len(opened) > 1:
        problems.add("open files", str(opened))
    counts = check_lines(read_lines(folder, name), truth, problems, complete)
    counts["files"] = len(file_names(folder, name))
    problems.raise_any(f"{folder}")
    return counts


def check_lines(lines, truth, problems, complete=True):
    seen, free, events, units, previous, ticket, first_of_file = set(), [], 0, 0, 0, 0, {}
    for file, unit in units_of(lines, problems):
        if file not in first_of_file:
            first_of_file[file] = unit[0]["commit_lsn"]
            if file != "-" and f"{lsn(unit[0]['commit_lsn']):016X}" not in file.upper():
                problems.add("file name", f"{file} begins with {unit[0]['commit_lsn']}")
        check_unit_marks(file, unit, problems)
        if "xid" in unit[0]:
            # A free message's LSN may lie within a transaction; commits rise strictly.
            commit = lsn(unit[0]["commit_lsn"])
            if commit <= previous:
                problems.add("reordered (commit_lsn)", f"{file} {unit[0]['commit_lsn']} xid {unit[0]['xid']}")
            previous = max(previous, commit)
        if not any(is_ours(event) for event in unit):
            continue
        units += 1
        events += len(unit)
        if "xid" not in unit[0]:
            free.append(content_of(unit[0]))
            continue
        xid = int(unit[0]["xid"])
        where = f"{file} xid {xid}"
        transaction = truth.transactions.get(xid)
        if transaction is None:
            problems.add("invented", f"{where}: {unit[0]}")
        elif xid in seen:
            problems.add("duplicated", where)
        else:
            if transaction.ticket < ticket:
                problems.add("reordered", f"{where}: ticket {transaction.ticket} after {ticket}")
            ticket = max(ticket, transaction.ticket)
            check_changes(where, unit, transaction, problems)
        seen.add(xid)
    for transaction in truth.transactions.values():
        if transaction.xid not in seen and (complete or transaction.ticket < ticket):
            problems.add("lost", f"xid {transaction.xid} ({len(transaction.changes)} changes)")
    if complete:
        check_free_messages(free, truth, problems, repeats_allowed=False)
    return {"events": events, "transactions": units, "truth": truth.changes}


# -- Kafka ---------------------------------------------------------------------------------------------------------
class Record:
    __slots__ = ("topic", "partition", "offset", "key", "headers", "timestamp", "value")

    def __init__(self, topic, partition, offset, key, headers, timestamp, value):
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.key = key
        self.headers = headers
        self.timestamp = timestamp
        self.value = value


def topic_of(name, event):
    if event["op"] == "message":
        return f"{name}.message"
    return re.sub(r"[^A-Za-z0-9._-]", "_", f'{name}.{event["schema"]}.{event["table"]}')


def half_of_key_change(event, record, change):
    """A key change is two records; the half as an event that can be compared, or a difference in words."""
    table = BY_NAME[change.table]
    row = change.old if event["op"] == "delete" else change.new
    if "pgcourier.key_change" not in record.headers:
        return "no header pgcourier.key_change"
    key = {column: row[column] for column in table.key}
    if event["op"] not in ("delete", "insert") or row_as_text(event["key"]) != key:
        return f"{event['op']} with key {event['key']} for a key change"
    if event["op"] == "insert":
        after = row_as_text(event["after"])
        after.update({column: change.new[column] for column in event.get("unchanged", [])
                      if change.old.get(column) == change.new.get(column)})
        return None if after == change.new else f"after {after} instead of {change.new}"
    return None


def check_records(records, truth, partitions, name="shop", exactly=False):
    """Each committed change at least once (exactly: and not twice), nothing else, first occurrences of a key in commit
    order. records: in the order of their offsets within each partition; partitions: how many each topic has. Returns
    counts."""
    problems, seen, repeats, free = Problems(), {}, 0, []
    newest, home = {}, {}
    for record in records:
        event = parse(record.value)
        if not is_ours(event):
            continue
        where = f"{record.topic}[{record.partition}]@{record.offset}"
        if record.topic != topic_of(name, event):
            problems.add("wrong topic", f"{where}: {topic_of(name, event)}")
        if "xid" not in event:
            free.append(content_of(event))
            continue
        transaction = truth.transactions.get(int(event["xid"]))
        seq = int(event["seq"])
        if transaction is None or seq >= len(transaction.changes):
            problems.add("invented", f"{where}: {event}")
            continue
        change = transaction.changes[seq]
        split = change.op == "update" and event["op"] != "update"
        index, wrong = (seq, half_of_key_change(event, record, change)) if split else match(event, seq, transaction)
        if wrong:
            problems.add("wrong event", f"{where} xid {event['xid']} seq {seq}: {wrong}")
            continue
        key = record.key.decode() if record.key is not None else None
        # A message's key is its prefix, which is no JSON.
        right_key = key == event["prefix"] if event["op"] == "message" else \
            (parse(key) if key is not None else None) == event.get("key")
        if not right_key:
            problems.add("wrong key", f"{where}: {key} and {event.get('key')}")
        identity = (transaction.xid, index, event["op"], record.partition if change.op == "truncate" else None)
        if identity in seen:
            repeats += 1
            if exactly:
                problems.add("duplicated", f"{where} xid {event['xid']} seq {seq}: also {seen[identity]}")
            continue
        seen[identity] = where
        if change.op != "truncate" and home.setdefault((record.topic, key), record.partition) != record.partition:
            problems.add("key in two partitions", f"{where} {key}: also {home[record.topic, key]}")
        # Stricter than the order of each key: that of the partition, which holds a table's truncates too.
        group = (record.topic, record.partition)
        position = (transaction.ticket, seq, event["op"] != "delete")
        if position < newest.get(group, (0, 0, False)):
            problems.add("reordered", f"{where} key {key}: xid {event['xid']} seq {seq} after {newest[group]}")
        newest[group] = max(position, newest.get(group, position))
    changes = lost_records(truth, seen, partitions, name, problems)
    check_free_messages(free, truth, problems, repeats_allowed=not exactly)
    problems.raise_any("Kafka")
    return {"records": len(seen), "repeats": repeats, "changes": changes, "truth": truth.changes}


def lost_records(truth, seen, partitions, name, problems):
    changes = 0
    for transaction in truth.transactions.values():
        for index, change in enumerate(transaction.changes):
            changes += 1
            if change.op == "truncate":
                schema, table = change.table.split(".", 1)
                topic = topic_of(name, {"op": "truncate", "schema": schema, "table": table})
                wanted = [("truncate", partition) for partition in range(partitions.get(topic, 1))]
            elif change.op == "update" and key_changes(BY_NAME[change.table], change):
                wanted = [("delete", None), ("insert", None)]
            else:
                wanted = [(change.op, None)]
            for op, partition in wanted:
                if (transaction.xid, index, op, partition) not in seen:
                    problems.add("lost", f"xid {transaction.xid} seq {index} {op} {change.table}")
    return changes


def read_topics(brokers, name="shop", timeout=60):
    """All records of the pipeline's topics (confluent-kafka), in offset order per partition, and the partition counts."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "checker", "enable.auto.commit": False,
                         "enable.partition.eof": True, "auto.offset.reset": "earliest",
                         "fetch.message.max.bytes": 8 << 20, "isolation.level": "read_committed"})
    try:
        topics = {topic: len(meta.partitions) for topic, meta in consumer.list_topics(timeout=20).topics.items()
                  if topic.startswith(name + ".") and topic != f"{name}.__position"}
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)
                         for topic, count in topics.items() for partition in range(count)])
        left, records, deadline = sum(topics.values()), [], time.monotonic() + timeout
        while left:
            if time.monotonic() > deadline:
                raise TestFailure(f"{left} partitions not read to the end in {timeout} s")
            for message in consumer.consume(1000, 0.5):
                if message.error():
                    if message.error().code() != KafkaError._PARTITION_EOF:
                        raise TestFailure(f"reading Kafka back: {message.error()}")
                    left -= 1
                    continue
                records.append(Record(message.topic(), message.partition(), message.offset(), message.key(),
                                      dict(message.headers() or []), message.timestamp()[1], message.value()))
        return records, topics
    finally:
        consumer.close()


def check_kafka(brokers, truth, name="shop", exactly=False):
    records, partitions = read_topics(brokers, name)
    return check_records(records, truth, partitions, name, exactly)


def records_by_xid(brokers, name="shop"):
    """How many records of each source transaction a read_committed consumer sees now."""
    events = (parse(record.value) for record in read_topics(brokers, name)[0])
    return Counter(int(event["xid"]) for event in events if "xid" in event)
