"""PostgreSQL 15 to files, Kafka, stdout and null at once: every operation, replica identity and built-in type, then
the workload; each sink holds the same lines. Kafka is read back with its own consumer (Java) too."""
import base64
import json
import time
import zlib

from harness.checker import check_lines, Problems, read_topics
from harness.data_files import COMPRESSIONS, read_lines
from harness.program import cases_of, run_cases
from harness.scenario import Scenario
from harness.shared import Delivery
from harness.truth import Truth
from harness.waiting import lsn, require
from harness.workload import Workload

# type, literal, the JSON value of an event
TYPES = [
    ("boolean", "true", True), ("boolean", "false", False), ("smallint", "-32768", -32768),
    ("integer", "2147483647", 2147483647), ("bigint", "9007199254740993", 9007199254740993),
    ("bigint", "-9223372036854775808", -9223372036854775808),
    ("real", "1.5", 1.5), ("double precision", "0.1", 0.1), ("double precision", "'NaN'", "NaN"),
    ("double precision", "'-Infinity'", "-Infinity"), ("double precision", "1e300", 1e300),
    ("numeric", "123456789012345678901234567890.12345", "123456789012345678901234567890.12345"),
    ("numeric(10,2)", "1.5", "1.50"), ("numeric", "'NaN'", "NaN"), ("money", "'12.34'", "$12.34"),
    ("text", "'a \"q\" \\ ß 漢 \t'", 'a "q" \\ ß 漢 \t'), ("text", "''", ""), ("varchar(9)", "'v'", "v"),
    ("char(3)", "'c'", "c  "), ("name", "'n'", "n"), ("\"char\"", "'x'", "x"),
    ("bytea", "'\\x00ff10'", base64.b64encode(b"\x00\xff\x10").decode()), ("bytea", "''", ""),
    ("json", "'{\"b\": 1, \"a\": [1.10, null]}'", {"b": 1, "a": [1.10, None]}),
    ("jsonb", "'{\"a\": 12345678901234567890}'", {"a": 12345678901234567890}), ("jsonb", "'null'", None),
    ("date", "'2026-11-22'", "2026-11-22"), ("date", "'infinity'", "infinity"),
    ("date", "'0044-03-15 BC'", "0044-03-15 BC"), ("time", "'24:00:00'", "24:00:00"),
    ("time(3)", "'10:11:12.345'", "10:11:12.345"), ("timetz", "'10:00:00+02'", "10:00:00+02"),
    ("timestamp", "'2026-11-22 10:00:00.123456'", "2026-11-22T10:00:00.123456"),
    ("timestamp", "'-infinity'", "-infinity"), ("timestamptz", "'2026-11-22 10:00:00+02'", "2026-11-22T08:00:00Z"),
    ("timestamptz", "'infinity'", "infinity"), ("interval", "'1 year 2 mons 3 days 04:05:06.7'", "P1Y2M3DT4H5M6.7S"),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("inet", "'10.0.0.1/24'", "10.0.0.1/24"), ("cidr", "'10.0.0.0/8'", "10.0.0.0/8"),
    ("macaddr", "'08:00:2b:01:02:03'", "08:00:2b:01:02:03"), ("bit(3)", "B'101'", "101"), ("varbit", "B''", ""),
    ("point", "'(1,2)'", "(1,2)"), ("int4range", "'[1,5)'", "[1,5)"), ("int4multirange", "'{[1,2),[4,5)}'", "{[1,2),[4,5)}"),
    ("tsvector", "'a b'", "'a' 'b'"), ("xml", "'<a/>'", "<a/>"), ("oid", "4294967295", "4294967295"), ("pg_lsn", "'0/10'", "0/10"),
    ("integer[]", "'{1,NULL,3}'", [1, None, 3]), ("integer[]", "'{}'", []), ("integer[]", "'{{1,2},{3,4}}'", [[1, 2], [3, 4]]),
    ("text[]", "'{a,\"b,c\",NULL,\"NULL\",\"q\\\"\"}'", ["a", "b,c", None, "NULL", 'q"']),
    ("boolean[]", "'{t,f}'", [True, False]), ("numeric[]", "'{1.50}'", ["1.50"]),
    ("timestamptz[]", "'{2026-11-22 10:00:00+00}'", ["2026-11-22T10:00:00Z"]),
    ("mood", "'so \"so\"'", 'so "so"'), ("mood[]", "'{happy}'", ["happy"]), ("pair", "'(1,\"x,y\")'", {"a": 1, "b": "x,y"}),
    ("positive", "5", 5), ("hstore", "'a=>1, b=>NULL'", {"a": "1", "b": None}),
]


def case_every_built_in_type():
    setup = ("CREATE EXTENSION hstore SCHEMA public; CREATE TYPE mood AS ENUM ('happy', 'so \"so\"'); "
             "CREATE TYPE pair AS (a int, b text); CREATE DOMAIN positive AS int CHECK (value > 0);")
    columns = ", ".join(f"c{number} {kind}" for number, (kind, _, _) in enumerate(TYPES))
    values = ", ".join(literal for _, literal, _ in TYPES)
    with Delivery(setup + f"CREATE TABLE t (id int PRIMARY KEY, {columns})", "FOR TABLE t") as case:
        case.sql(f"SET lc_monetary = 'C'; INSERT INTO t VALUES (1, {values})", "INSERT INTO t (id) VALUES (2)")
        events = case.events()
    require(len(events) == 2, f"{len(events)} events")
    wrong = [f"{kind} {literal}: {events[0]['after'][f'c{number}']!r} instead of {value!r}"
             for number, (kind, literal, value) in enumerate(TYPES)
             if repr(events[0]["after"][f"c{number}"]) != repr(value)]
    require(not wrong, "\n        ".join(["values:", *wrong]))
    require(all(value is None for name, value in events[1]["after"].items() if name != "id"), "not all NULL")
    print(f"      {len(TYPES)} values")


def crc_of(lines):
    checksum = 0
    for line in lines:
        checksum = zlib.crc32(line, checksum)
    return checksum


def case_all_sinks_at_once():
    with Scenario(sinks=("files", "kafka", "stdout", "null"), http=True) as scene:
        courier, out = scene.courier, scene.courier.folder / "stdout"
        compressed = {kind: courier.folder / kind for kind in COMPRESSIONS if kind != "none"}
        courier.settings["sinks"] += [{"files": {"id": kind, "directory": str(folder), "compression": kind}}
                                      for kind, folder in compressed.items()]
        courier.start("slot", "create", "-c", courier.file).wait_exit(0)
        with open(out, "wb") as file:
            process = courier.run_streaming(stdout=file)
            with Workload(scene.server, 3, writers=4, rate=60) as load:
                load.wait_commits(600, timeout=90)
                courier.wait_ready()
                status = json.loads(courier.get("/api/v1/status")[1])
                require(courier.get("/livez")[0] == 200 and status, "no status")
                require(courier.metrics(), "no metrics")
                load.stop()
            # The rest is delivered by the same process: its numbers must be those of all lines.
            scene.server.wait_confirmed(scene.server.value(
                "SELECT pg_logical_emit_message(true, 'test-end', '')::text"), timeout=60)
            process.terminate()
            courier.drain(timeout=60)
        lines = [line for _, line in read_lines(courier.files, courier.name)]
        require(crc_of(lines) == zlib.crc32(out.read_bytes()), "stdout's lines are not those of the files")
        for kind, folder in compressed.items():
            require(crc_of(line for _, line in read_lines(folder, courier.name)) == crc_of(lines),
                    f"the lines compressed by {kind} are not those of the files")
        problems = Problems()
        check_lines([("-", line) for line in out.read_bytes().splitlines(keepends=True)], Truth.of(scene.server), problems)
        problems.raise_any("stdout")
        scene.verify()
        read_with_java(scene)


def read_with_java(scene):
    """The client of another make, Kafka's own, sees the same records, keys, headers and partitions."""
    records = keyed = headed = 0
    partitions, places = set(), {}
    for line in scene.broker.read_with_java(r"shop\.(?!__).*"):
        columns = line.split(b"\t", 5)
        require(len(columns) == 6, f"not a record: {line[:200]}")
        created, partition, _, headers, key, value = columns
        event = json.loads(value)
        records += 1
        partitions.add(partition)
        if key != b"null":
            keyed += 1
            is_message = event["op"] == "message"  # its key is its prefix, which is no JSON
            require(key.decode() == event["prefix"] if is_message else json.loads(key) == event["key"], f"key {key} of {event}")
            place = (event.get("schema"), event.get("table"), key)
            require(places.setdefault(place, partition) == partition, f"key {key} in two partitions")
        headed += b"pgcourier.key_change" in headers
        if "commit_ts" in event:
            milliseconds = int(created.split(b":")[1])
            require(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000)) == event["commit_ts"][:19],
                    f"timestamp {milliseconds} and commit time {event['commit_ts']}")
    require(len(partitions) >= 6, f"only {len(partitions)} partitions")
    others, _ = read_topics(scene.broker.bootstrap)
    require(records == len(others) and keyed and headed, f"Java read {records} records, librdkafka {len(others)}")
    print(f"      Kafka's own consumer: {records} records in {len(partitions)} partitions, {keyed} with a key, "
          f"{headed} of key changes")


def case_null_counts_what_the_files_hold():
    """Events, bytes and checksum in the last log lines of --until-lsn."""
    with Scenario(sinks=("files", "null")) as scene:
        scene.courier.start("slot", "create", "-c", scene.courier.file).wait_exit(0)
        with Workload(scene.server, 5, writers=3, rate=0) as load:
            load.wait_commits(300, timeout=60)
            load.stop()
        process = scene.courier.drain()
        lines = [line for _, line in read_lines(scene.courier.files, "shop")]
        ends = {line["sink"]: line for line in process.lines if "sink" in line and "confirmed_lsn" in line}
        require(set(ends) == {"files", "null"}, f"no last line per sink:\n{process.log()}")
        for sink, end in ends.items():
            require(int(end["events"]) == len(lines), f"{sink}: {end['events']} events of {len(lines)}")
            require(int(end["bytes"]) == sum(map(len, lines)), f"{sink}: {end['bytes']} bytes of {sum(map(len, lines))}")
            require(lsn(end["confirmed_lsn"]) <= lsn(scene.server.slot()["confirmed_flush_lsn"]), f"{end}")
        checksum = ends["null"]["checksum"]
        require(checksum in (crc_of(lines), str(crc_of(lines)), f"{crc_of(lines):08x}", f"{crc_of(lines):08X}"),
                f"checksum {checksum} instead of {crc_of(lines):08x}")
        scene.verify()


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
