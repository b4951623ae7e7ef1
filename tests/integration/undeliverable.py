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


# What no PostgreSQL of its own sends: a type called hstore whose text is not one.
NO_HSTORE = """
CREATE SCHEMA bad;
CREATE TYPE bad.hstore;
CREATE FUNCTION bad.hstore_in(cstring) RETURNS bad.hstore LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION bad.hstore_out(bad.hstore) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE bad.hstore (INPUT = bad.hstore_in, OUTPUT = bad.hstore_out, LIKE = text);
CREATE TABLE tagged (id int PRIMARY KEY, tags bad.hstore);
ALTER PUBLICATION shop ADD TABLE tagged;
"""


@contextlib.contextmanager
def one_without_encoding(of):
    """The end of what was written: three rows in a transaction, the one in the middle without encoding, and one after it."""
    server().sql(NO_HSTORE)
    try:
        of.start("slot", "create", "-c", of.file).wait_exit(0)
        server().sql("INSERT INTO tagged VALUES (1, '\"a\"=>\"1\"'), (2, 'secret words'), (3, '\"b\"=>\"2\"')")
        yield insert(1, note="after")
    finally:
        of.end()
        server().sql("DROP TABLE tagged; DROP SCHEMA bad CASCADE")


def undeliverable_of(of):
    series = {name: value for name, value in of.metrics().items() if name.startswith("pgcourier_sink_undeliverable_records")}
    return [(name.partition('policy="')[2].rstrip('"}'), value) for name, value in series.items()]


def case_not_encodable():
    """As what is too large: the dead letter is the server's own message, its neighbours arrive, all is confirmed; counted."""
    for delivery in DELIVERIES:
        for policy in ("dead_letter", "skip"):
            with courier(sinks=("kafka",), http=True, sinks__0__kafka__delivery=delivery,
                         sinks__0__kafka__undeliverable=policy) as one, one_without_encoding(one) as end:
                process = one.run()
                server().wait_confirmed(end, one.settings["source"]["slot"], timeout=60)
                equal(undeliverable_of(one), [(policy, 1.0)])
                status = json.loads(one.get("/api/v1/status")[1])
                equal(status["sinks"][0]["undeliverable"], {"policy": policy, "records": 1})
                process.terminate()
                require(process.says("public.tagged.tags (hstore)"), lambda process=process: process.log())
                require(not process.says("secret words"), "a row's value stands in the log")
                topics = delivered(one)
                rows = sorted((json.loads(record.value) for record in topics["public.tagged"]), key=lambda row: row["seq"])
                equal([row["after"]["id"] for row in rows], [1, 3])
                equal(notes(topics["public.orders"]), ["after"])
                if policy == "skip":
                    require("dead_letter" not in topics, "there are dead letters")
                    continue
                letter, = topics["dead_letter"]
                require(letter.value.startswith(b"I") and b"secret words" in letter.value and letter.key is None, f"{letter.value}")
                headers = {name: value.decode() for name, value in letter.headers.items()}
                require("hstore" in headers.pop("pgcourier.error"), f"no reason: {letter.headers}")
                require(lsn(rows[0]["lsn"]) <= lsn(headers.pop("pgcourier.lsn")) <= lsn(rows[1]["lsn"]), f"{letter.headers}")
                equal(headers, {"pgcourier.topic": f"{one.name}.public.tagged", "pgcourier.schema": "public",
                                "pgcourier.table": "tagged", "pgcourier.commit_lsn": rows[0]["commit_lsn"],
                                "pgcourier.seq": "1", "pgcourier.format": "pgoutput"})


def case_not_encodable_stops():
    """Where the policy says so, and where there is none: files, stdout, null. Left out by source.tables, it goes on."""
    for sink in ("kafka", "files", "stdout", "null"):
        with courier(sinks=(sink,)) as one, one_without_encoding(one) as end:
            process = one.run("--until-lsn", "now")
            process.wait_exit(65)
            require(process.says("public.tagged.tags (hstore)", "commit 0/"), lambda process=process: process.log())
            require(not process.says("secret words"), "a row's value stands in the log")
            require(lsn(server().slot(one.settings["source"]["slot"])["confirmed_flush_lsn"]) < lsn(end), "it is confirmed")
            one.set("source.tables", ["public.orders"])
            one.drain()
            is_confirmed(one, end)


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
