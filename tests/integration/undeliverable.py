"""Records that Kafka can never take (delivery.md 17): `undeliverable: dead_letter` and `skip`, at least once and exactly once. The
bad record takes neither its neighbours nor its key's order with it. `undeliverable.py [words]` runs the cases named by the words."""
import contextlib
import json

from harness.checker import read_topics
from harness.program import cases_of, run_cases
from harness.shared import broker, courier, insert, server
from harness.waiting import equal, lsn, require

LARGE = "x" * 3_000_000
DELIVERIES = ("at_least_once", "exactly_once")


def pipeline(delivery, policy):
    return courier(sinks=("kafka",), sinks__0__kafka__delivery=delivery, sinks__0__kafka__undeliverable=policy)


def delivered(of):
    """{topic without the pipeline's name: records in the order of their partitions}"""
    topics = {}
    for record in read_topics(broker().bootstrap, of.name)[0]:
        topics.setdefault(record.topic.removeprefix(of.name + "."), []).append(record)
    return topics


def notes(records):
    return sorted(json.loads(record.value)["after"]["note"] for record in records)


def is_confirmed(of, position):
    slot = server().slot(of.settings["source"]["slot"])
    require(lsn(slot["confirmed_flush_lsn"]) >= lsn(position), f"not confirmed up to {position}: {slot}")


@contextlib.contextmanager
def one_too_large(delivery, policy):
    """(pipeline, its process, what it delivered): a row too large for its topic stood between others, which are there, and all
    is confirmed."""
    with pipeline(delivery, policy) as one:
        one.start("slot", "create", "-c", one.file).wait_exit(0)
        insert(2, note="before")
        insert(1, note=LARGE)
        end = insert(2, note="after")
        process = one.drain()
        topics = delivered(one)
        equal(notes(topics["public.orders"]), ["after", "after", "before", "before"])
        is_confirmed(one, end)
        yield one, process, topics


def case_too_large_to_the_dead_letters():
    """With its bytes, and what it was in headers."""
    for delivery in DELIVERIES:
        with one_too_large(delivery, "dead_letter") as (one, process, topics):
            letter, = topics["dead_letter"]
            event = json.loads(letter.value)
            equal(event["after"]["note"], LARGE)
            headers = {name: value.decode() for name, value in letter.headers.items()}
            require("max.message.bytes" in headers.pop("pgcourier.error"), f"no reason: {letter.headers}")
            equal(headers, {"pgcourier.topic": f"{one.name}.public.orders", "pgcourier.schema": "public",
                            "pgcourier.table": "orders", "pgcourier.commit_lsn": event["commit_lsn"]})
            equal(json.loads(letter.key), event["key"])
            require(process.says(f"written to {one.name}.dead_letter"), lambda process=process: process.log())
            require(not process.says("xxxxxxxx"), "a row's value stands in the log")


def case_too_large_skipped():
    for delivery in DELIVERIES:
        with one_too_large(delivery, "skip") as (_, process, topics):
            require("dead_letter" not in topics, "there are dead letters")
            require(process.says("skipped", "max.message.bytes"), lambda process=process: process.log())


def case_refused_by_the_broker():
    """A compacted topic takes no record without key; the broker refuses the whole batch. Other tables go on meanwhile, and all
    is in order."""
    server().sql("CREATE TABLE keyless (note text); ALTER PUBLICATION shop ADD TABLE keyless")
    try:
        for delivery in DELIVERIES:
            with pipeline(delivery, "dead_letter") as one:
                broker().topics_tool("--create", "--topic", f"{one.name}.public.keyless", "--partitions", "1",
                                     "--config", "cleanup.policy=compact")
                one.start("slot", "create", "-c", one.file).wait_exit(0)
                for number in range(3):
                    insert(3, note=f"before {number}")
                    server().sql(f"INSERT INTO keyless VALUES ('bad {number}')")
                end = insert(3, note="after")
                process = one.drain()
                topics = delivered(one)
                letters = notes(topics["dead_letter"])  # at least once, they too may repeat
                equal(letters if delivery == "exactly_once" else sorted(set(letters)), ["bad 0", "bad 1", "bad 2"])
                require("public.keyless" not in topics, "the broker took a record without key")
                events = [json.loads(record.value) for record in topics["public.orders"]]
                changes = {(event["commit_lsn"], event["seq"]) for event in events}
                equal(len(changes), 12)
                if delivery == "exactly_once":
                    equal(len(events), 12)
                require(process.says("each record is sent by itself now"), lambda process=process: process.log())
                is_confirmed(one, end)
    finally:
        server().sql("DROP TABLE keyless")


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
