"""Edge cases of the sinks: 39, 53 in Kafka, 92 to 95. The names carry the numbers of EDGE_CASES.md."""
import json
import os
import signal
import subprocess
import time

from harness.checker import read_topics
from harness.program import cases_of, run_cases
from harness.shared import Delivery, broker, courier, insert, server
from harness.waiting import lsn, require, wait_for

T = "CREATE TABLE t (id int PRIMARY KEY, a int, note text)"


def records_of(case):
    """[(partition, key, event, headers)] in offset order, and how many partitions the topics have."""
    records, topics = read_topics(broker().bootstrap, case.courier.name)
    return [(record.partition, record.key and json.loads(record.key), json.loads(record.value), record.headers)
            for record in records], topics


def case_39_53_kafka_truncate_and_key_change():
    with Delivery(T, "FOR TABLE t", sinks=("kafka",)) as case:
        case.sql("INSERT INTO t VALUES (1, 1, 'n')", "UPDATE t SET id = 2", "TRUNCATE t")
        case.events()
        records, topics = records_of(case)
        partitions = topics[f"{case.courier.name}.{case.schema}.t"]
        require(partitions >= 6, f"{partitions} partitions")
        halves = [(event["op"], key, event["seq"]) for _, key, event, headers in records if "pgcourier.key_change" in headers]
        require(sorted(halves) == [("delete", {"id": 1}, 0), ("insert", {"id": 2}, 0)], f"{halves}")
        truncates = sorted(partition for partition, _, event, _ in records if event["op"] == "truncate")
        require(truncates == list(range(partitions)), f"truncates in {truncates} of {partitions}")


def case_48_kafka_without_key():
    """No key: one partition for the table, in order."""
    with Delivery("CREATE TABLE t (a int); ALTER TABLE t REPLICA IDENTITY FULL", "FOR TABLE t", sinks=("kafka",)) as case:
        case.sql(*[f"INSERT INTO t VALUES ({n})" for n in range(50)])
        case.events()
        records, _ = records_of(case)
        require({partition for partition, *_ in records} and len({partition for partition, *_ in records}) == 1,
                "several partitions")
        require([(key, event["after"]["a"]) for _, key, event, _ in records] == [(None, n) for n in range(50)], f"{records}")


def case_92_topics_are_not_created():
    """create_topics: false and no topic: it blocks and says which; it goes on once the topic is there."""
    with courier(sinks=("kafka",)) as pipeline:
        pipeline.settings["sinks"][0]["kafka"]["create_topics"] = False
        topic = f"{pipeline.name}.public.orders"
        broker().topics_tool("--create", "--topic", f"{pipeline.name}.__position", "--partitions", "1",
                             "--config", "cleanup.policy=compact")
        server().sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", pipeline.settings["source"]["slot"])
        position = insert(1)
        process = pipeline.run()
        process.wait_says(topic, timeout=30)
        time.sleep(1)
        slot = server().slot(pipeline.settings["source"]["slot"])
        require(lsn(slot["confirmed_flush_lsn"]) < lsn(position), "confirmed without a topic")
        if process.running():
            broker().topics_tool("--create", "--topic", topic, "--partitions", "6")
            server().wait_confirmed(position, pipeline.settings["source"]["slot"], timeout=60)
            process.terminate()
        else:
            require(process.popen.returncode == 78, f"exit {process.popen.returncode}:\n{process.log()}")


def case_92_partitions_added_while_running():
    """Keys would change their partition: exit 78 with both counts; the next start takes the new one."""
    with courier(sinks=("kafka",)) as pipeline:
        pipeline.settings["sinks"][0]["kafka"]["properties"] = {"topic.metadata.refresh.interval.ms": "1000"}
        process = pipeline.run_streaming()
        server().wait_confirmed(insert(1), pipeline.settings["source"]["slot"], timeout=30)
        broker().topics_tool("--alter", "--topic", f"{pipeline.name}.public.orders", "--partitions", "9")
        deadline = time.monotonic() + 40
        while process.running() and time.monotonic() < deadline:
            insert(20)
            time.sleep(0.2)
        process.wait_exit(78, 5)
        require(process.says("6", "9", "partition"), lambda: f"not both counts:\n{process.log()}")
        pipeline.drain()


def full_disk():
    """A folder of 1 MiB, or None where nothing may be mounted."""
    folder = subprocess.run(["mktemp", "-d"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "pgcourier-test", folder], stderr=subprocess.PIPE)
    return folder if done.returncode == 0 else None


def case_94_disk_full():
    """It waits, says so, confirms nothing, answers the server; and goes on when there is room."""
    folder = full_disk()
    if folder is None:
        print("      no mount here: the power-cut shim's ENOSPC (tests/support/power_cut) stands for it")
        return
    try:
        with courier() as pipeline:
            pipeline.set("sinks.0.files.directory", folder)
            process = pipeline.run_streaming()
            before = server().value("SELECT pg_current_wal_insert_lsn()::text")
            position = insert(20000, note="n" * 100)
            process.wait_says("No space left", timeout=30)
            slot = pipeline.settings["source"]["slot"]
            walsender = server().slot(slot)["active_pid"]
            time.sleep(3)
            require(process.running() and server().slot(slot)["active_pid"] == walsender, "the session was lost")
            require(lsn(server().slot(slot)["confirmed_flush_lsn"]) <= lsn(before), "confirmed what is not on the disk")
            subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
            server().wait_confirmed(position, slot, timeout=60)
            process.terminate()
            count = sum(len(open(os.path.join(folder, name), "rb").readlines())
                        for name in os.listdir(folder) if ".jsonl" in name)
            require(count == 20000, f"{count} lines of 20000")
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        os.rmdir(folder)


def case_95_slow_sink_and_a_large_transaction():
    """One transaction of 300,000 rows into a broker that stands still for a while: memory stays bounded."""
    with Delivery(T, "FOR TABLE t", sinks=("kafka",)) as case:
        case.sql("INSERT INTO t SELECT g, g, repeat('n', 100) FROM generate_series(1, 300000) g")
        process = case.courier.run()
        wait_for(lambda: (case.server.slot(case.schema) or {}).get("active_pid"), "streaming")
        broker().pause()
        time.sleep(4)
        broker().resume()
        case.server.wait_confirmed(case.server.value("SELECT pg_current_wal_lsn()::text"), case.schema, timeout=120)
        peak = process.peak_mib()
        process.terminate()
        records, _ = records_of(case)
        require(len({event["seq"] for _, _, event, _ in records}) == 300000, f"{len(records)} records")
        print(f"      peak memory {peak:.0f} MiB, {len(records)} records")
        require(peak <= 96, f"peak memory {peak:.0f} MiB")


def case_94_rotation_by_age():
    """An idle file gets its final name too."""
    with courier() as pipeline:
        pipeline.set("sinks.0.files.rotate", {"every": "1s"})
        process = pipeline.run_streaming()
        insert(1)
        wait_for(lambda: any(path.name.endswith(".jsonl") for path in pipeline.names()), "the file to be finished", 10)
        insert(1)
        wait_for(lambda: sum(path.name.endswith(".jsonl") for path in pipeline.names()) == 2, "the second one", 10)
        process.terminate()


def case_93_stopped_and_continued():
    """SIGSTOP of pgcourier for longer than wal_sender_timeout: a new session, nothing lost."""
    server().sql("ALTER SYSTEM SET wal_sender_timeout = '2s'")
    server().sql("SELECT pg_reload_conf()")
    try:
        with courier() as pipeline:
            process = pipeline.run_streaming()
            insert(10)
            process.popen.send_signal(signal.SIGSTOP)
            insert(10)
            slot = pipeline.settings["source"]["slot"]
            server().wait_free(slot, timeout=15)
            process.popen.send_signal(signal.SIGCONT)
            server().wait_confirmed(insert(10), slot, timeout=30)
            process.terminate()
            require(len(pipeline.events()) == 30, f"{len(pipeline.events())} events of 30")
    finally:
        server().sql("ALTER SYSTEM RESET wal_sender_timeout")
        server().sql("SELECT pg_reload_conf()")


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
