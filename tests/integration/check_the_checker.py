"""The checker itself: holds a faithful delivery for true and finds each planted fault. Needs no server."""
import base64
import copy
import gzip
import json
import random
import sys
import tempfile
from pathlib import Path

import zstandard

from harness.checker import Problems, Record, check_files, check_lines, check_records, topic_of
from harness.schema import BY_NAME
from harness.truth import Change, Transaction, Truth, key_changes
from harness.waiting import TestFailure, lsn_text, require

PARTITIONS = 6


def made_up_truth(seed):
    """40 transactions on a handful of keys."""
    rng, rows, transactions = random.Random(seed), {}, []
    for ticket in range(1, 41):
        transaction = Transaction(700 + ticket * 3 % 97, ticket)
        for _ in range(rng.randint(1, 5)):
            name = rng.choice(("public.orders", "public.with_full"))
            key = str(rng.randint(1, 4))
            old = rows.get((name, key))
            new = {"id": key, "amount": str(rng.randint(1, 10**6)), "note": "x", "paid": None, "body": "b" * 10}
            if old is None:
                transaction.changes.append(Change(name, "insert", None, new))
                rows[name, key] = new
            elif rng.random() < 0.3:
                transaction.changes.append(Change(name, "delete", old, None))
                del rows[name, key]
            else:
                new["id"] = key if rng.random() < 0.7 else str(rng.randint(100, 10**6))
                transaction.changes.append(Change(name, "update", old, new))
                del rows[name, key]
                rows[name, new["id"]] = new
        if ticket % 10 == 0:
            transaction.changes.append(Change("public.many_01", "truncate", None, None))
            transaction.changes.append(Change("public.many_02", "truncate", None, None))
        if ticket % 7 == 0:
            transaction.changes.append(Change(None, "message", None, {"content": f"m{ticket}"}))
        transactions.append(transaction)
    return Truth(transactions, {"free one"})


def events_of(truth):
    """The events a faithful pgcourier writes to a file."""
    events = [{"op": "message", "prefix": "test", "content": base64.b64encode(b"free one").decode(),
               "transactional": False, "commit_lsn": "0/50"}]
    for transaction in sorted(truth.transactions.values(), key=lambda each: each.ticket):
        commit = transaction.ticket * 0x100
        for seq, change in enumerate(transaction.changes):
            event = {"op": change.op, "commit_lsn": lsn_text(commit), "seq": seq, "xid": transaction.xid,
                     "commit_ts": "2026-11-22T10:00:00Z"}
            if change.op == "message":
                event.update(prefix="test", content=base64.b64encode(change.new["content"].encode()).decode(),
                             transactional=True)
            else:
                add_row(event, change)
            events.append(event)
        events[-1].update(last=True, end_lsn=lsn_text(commit + 0x30))
    return events


def add_row(event, change):
    event["schema"], event["table"] = change.table.split(".")
    if change.op == "truncate":
        return
    table = BY_NAME[change.table]
    row = change.old if change.op == "delete" else change.new
    event["key"] = {"id": int(row["id"])}
    if change.new:
        event["after"] = dict(change.new, id=int(change.new["id"]), amount=int(change.new["amount"]))
        if change.op == "update" and table.identity == "default" and change.old["body"] == change.new["body"]:
            event["unchanged"] = ["body"]
            del event["after"]["body"]
    if table.identity == "full" and change.old:
        event["before"] = dict(change.old)
    elif change.op == "delete" or key_changes(table, change):
        event["before"] = {"id": int(change.old["id"])}


def lines_of(events):
    return [("-", json.dumps(event, ensure_ascii=False).encode() + b"\n") for event in events]


def records_of(truth):
    """The records a faithful pgcourier sends to Kafka."""
    records, offsets = [], {}

    def send(event, partition, headers=()):
        topic = topic_of("shop", event)
        key = json.dumps(event["key"], separators=(",", ":")).encode() if "key" in event else None
        if event["op"] == "message":
            key = event["prefix"].encode()
        if partition is None:
            partition = hash(key) % PARTITIONS if key else 0
        offsets[topic, partition] = offsets.get((topic, partition), -1) + 1
        records.append(Record(topic, partition, offsets[topic, partition], key, dict(headers), 0, json.dumps(event)))

    for event in events_of(truth):
        transaction = truth.transactions.get(event.get("xid"))
        change = transaction.changes[event["seq"]] if transaction else None
        if change and change.op == "truncate":
            for partition in range(PARTITIONS):
                send(event, partition)
        elif change and change.op == "update" and key_changes(BY_NAME[change.table], change):
            old = {"op": "delete", "key": {"id": int(change.old["id"])}, "before": dict(change.old)}
            gone = {name: value for name, value in event.items() if name not in ("after", "unchanged")}
            send({**gone, **old}, None, {"pgcourier.key_change": b"new"})
            send({**event, "op": "insert"}, None, {"pgcourier.key_change": b"old"})
        else:
            send(event, None)
    return records


def verdict(check):
    """The kinds of problems found: '' for none."""
    try:
        check()
        return ""
    except TestFailure as failure:
        return str(failure)


def judge_lines(truth, events):
    problems = Problems()
    check_lines(lines_of(events), truth, problems)
    problems.raise_any("the file")


def starts_of(events):
    """Indexes of the first event of each transaction."""
    return [n for n, event in enumerate(events) if event.get("seq") == 0]


def planted_in_files(truth):
    """(name, expected kind, events) of each fault."""
    good = events_of(truth)
    starts = starts_of(good)
    many = next(n for n in starts if not good[n].get("last"))  # a transaction of several events
    a, b, c = starts[10], starts[11], starts[12]

    def change(index, **fields):
        events = copy.deepcopy(good)
        events[index].update(fields)
        return events

    insert = next(n for n, event in enumerate(good) if event["op"] == "insert")
    update = next(n for n, event in enumerate(good) if "unchanged" in event)
    renumbered = copy.deepcopy(good)
    renumbered[b:c] = [dict(event, commit_lsn=good[a]["commit_lsn"]) for event in renumbered[b:c]]
    swapped_rows = copy.deepcopy(good)
    swapped_rows[many]["after"], swapped_rows[many + 1]["after"] = (
        swapped_rows[many + 1].get("after"), swapped_rows[many].get("after"))
    rolled_back = copy.deepcopy(good[a:b])
    for event in rolled_back:
        event.update(xid=999, commit_lsn=lsn_text(0x0C10))
    yield "a lost transaction", "lost", good[:a] + good[b:]
    yield "a lost last transaction", "lost", good[:starts[-1]]
    yield "a lost event within a transaction", "torn", good[:many] + good[many + 1:]
    yield "a lost end of a transaction", "torn", [e for n, e in enumerate(good) if n != b - 1]
    yield "a duplicated transaction", "duplicated", good[:b] + good[a:b] + good[b:]
    yield "a duplicated event", "torn", good[:many + 1] + good[many:]
    yield "two swapped transactions", "reordered", good[:a] + good[b:c] + good[a:b] + good[c:]
    yield "transactions in another order than committed, LSNs fitting", "reordered", swap_lsns(good, a, b, c)
    yield "a transaction under another's commit LSN", "reordered", renumbered
    yield "rows swapped within a transaction", "wrong event", swapped_rows
    yield "a transaction that was rolled back", "invented", good[:b] + rolled_back + good[b:]
    yield "an invented row", "torn", good[:many] + [dict(good[insert], seq=good[many]["seq"])] + good[many:]
    yield "another value", "wrong event", change(insert, after=dict(good[insert]["after"], amount=1))
    yield "a missing column", "wrong event", change(update, unchanged=[])
    yield "a value said to be unchanged", "wrong event", change(
        update, unchanged=["body", "amount"], after={k: v for k, v in good[update]["after"].items() if k != "amount"})
    yield "no last", "torn (last)", change(b - 1, last=None)
    yield "a second last", "torn (last)", change(many, last=True)
    yield "another key", "wrong event", change(insert, key={"id": 77})
    yield "a lost free message", "lost message", good[1:]
    yield "a duplicated free message", "duplicated message", good[:1] + good


def judge_compressed(truth, ending, content):
    with tempfile.TemporaryDirectory(prefix="pgcourier-checker-") as folder:
        Path(folder, "shop-0000000000000050" + ending).write_bytes(content)
        check_files(folder, truth)


def planted_in_compressed_files(truth):
    """(name, expected kind or "" for none, ending, content); three events a member."""
    lines = [line for _, line in lines_of(events_of(truth))]
    for ending, compress in ((".jsonl.gz", gzip.compress),
                             (".jsonl.zst.open", zstandard.ZstdCompressor(write_checksum=True).compress)):
        members = [compress(b"".join(lines[n:n + 3])) for n in range(0, len(lines), 3)]
        good = b"".join(members)
        half = len(good) // 2
        yield "nothing", "", ending, good
        yield "a lost last member", "lost", ending, b"".join(members[:-1])
        yield "a torn last member", "torn line", ending, good[:-1]
        yield "bytes behind the last member", "torn line", ending, good + bytes(10)
        yield "a flipped bit", "torn line", ending, good[:half] + bytes([good[half] ^ 1]) + good[half + 1:]


def swap_lsns(good, a, b, c):
    first, second = copy.deepcopy(good[b:c]), copy.deepcopy(good[a:b])
    for events, like in ((first, good[a:b]), (second, good[b:c])):
        for event in events:
            event["commit_lsn"] = like[0]["commit_lsn"]
        events[-1]["end_lsn"] = like[-1]["end_lsn"]
    return good[:a] + first + second + good[c:]


def planted_in_kafka(truth):
    good = records_of(truth)
    row = next(n for n, record in enumerate(good) if b'"id"' in (record.key or b"") and n > 20)
    halves = [n for n, record in enumerate(good) if record.headers]
    truncate = next(n for n, record in enumerate(good) if json.loads(record.value)["op"] == "truncate")

    def same_place(n):
        return next(m for m in range(n + 1, len(good))
                    if (good[m].topic, good[m].partition) == (good[n].topic, good[n].partition))

    def moved(n, **fields):
        records = [copy.copy(record) for record in good]
        for name, value in fields.items():
            setattr(records[n], name, value)
        return records

    other = same_place(row)
    swapped = list(good)
    swapped[row], swapped[other] = swapped[other], swapped[row]
    event = json.loads(good[row].value)
    yield "a lost record", "lost", good[:row] + good[row + 1:]
    yield "a lost half of a key change", "lost", good[:halves[0]] + good[halves[0] + 1:]
    yield "a truncate missing in a partition", "lost", good[:truncate] + good[truncate + 1:]
    yield "swapped records of a partition", "reordered", swapped
    yield "a repeat before its predecessor's first", "reordered", good[:row] + [good[other]] + good[row:]
    yield "an invented record", "invented", good + [copy_with(good[row], json.dumps(dict(event, xid=999)))]
    yield "another value", "wrong event", moved(row, value=json.dumps(dict(event, op="upsert")))
    yield "a key that is not the event's", "wrong key", moved(row, key=b'{"id":4711}')
    yield "a key in two partitions", "two partitions", moved(other, partition=(good[other].partition + 1) % PARTITIONS)
    yield "a key change without its header", "wrong event", moved(halves[0], headers={})
    yield "a record in another table's topic", "wrong topic", moved(row, topic="shop.public.other")


def copy_with(record, value):
    record = copy.copy(record)
    record.value = value
    return record


def main():
    truth = made_up_truth(7)
    partitions = {record.topic: PARTITIONS for record in records_of(truth)}
    require(not verdict(lambda: judge_lines(truth, events_of(truth))),
            verdict(lambda: judge_lines(truth, events_of(truth))))
    found = 0
    for name, kind, events in planted_in_files(truth):
        said = verdict(lambda events=events: judge_lines(truth, events))
        require(kind in said, f"files: {name}: expected {kind!r}, the checker said {said!r}")
        found += 1
    for name, kind, ending, content in planted_in_compressed_files(truth):
        said = verdict(lambda ending=ending, content=content: judge_compressed(truth, ending, content))
        require(kind in said if kind else not said, f"{ending}: {name}: expected {kind!r}, the checker said {said!r}")
        found += bool(kind)
    faithful = records_of(truth)
    said = verdict(lambda: check_records(faithful, truth, partitions))
    require(not said, said)
    said = verdict(lambda: check_records(faithful + faithful[len(faithful) // 2:], truth, partitions))
    require(not said, f"repeats after a first occurrence are allowed: {said}")
    for name, kind, records in planted_in_kafka(truth):
        said = verdict(lambda records=records: check_records(records, truth, partitions))
        require(kind in said, f"Kafka: {name}: expected {kind!r}, the checker said {said!r}")
        found += 1
    require(found >= 38, f"only {found} faults planted")
    print(f"the checker finds all of {found} planted faults in {truth.changes} changes and none in a faithful delivery")


if __name__ == "__main__":
    sys.exit(main())
