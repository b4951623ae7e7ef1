"""`delivery: exactly_once` with three brokers: the transaction's coordinator and the partitions' leaders go away and come back under
load; the bookmark's topic is compacted; brokers that let a transaction last less than usual. `exactly_once_cluster.py [words]`
runs the cases named by the words; PGCOURIER_KILLS: how many brokers end."""
import atexit
import functools
import os
import random

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from harness.checker import records_by_xid
from harness.kafka_broker import KafkaBroker
from harness.kafka_cluster import KafkaCluster
from harness.program import cases_of, run_cases
from harness.scenario import Scenario
from harness.waiting import equal, lsn_text, require, wait_for
from harness.workload import Workload

KILLS = int(os.environ.get("PGCOURIER_KILLS", "2"))
SEED = int(os.environ.get("PGCOURIER_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@functools.cache
def cluster():
    made = KafkaCluster({"log.cleaner.backoff.ms": 100, "transaction.state.log.num.partitions": 3})
    atexit.register(made.close)
    return made


def scenario(name, broker=None, **settings):
    return Scenario(sinks=("kafka",), broker=broker or cluster(), name=name,
                    **{"sinks__0__kafka__delivery": "exactly_once", **settings})


def confirms_again(scene, process, load):
    """Until something committed from now on is confirmed, by the same process."""
    load.wait_commits(3)
    position = load.last_lsn
    wait_for(lambda: not process.running() or scene.server.value(
        "SELECT confirmed_flush_lsn > %s::pg_lsn FROM pg_replication_slots", lsn_text(position)),
        lambda: f"delivery to go on: {scene.server.slot()}\n{process.log(15)}", 90)
    require(process.running(), lambda: f"pgcourier ended: {process.popen.returncode}\n{process.log()}")


def case_coordinator_and_leaders_move():
    """kill -9 and SIGTERM in turn of the broker that coordinates the transactions; delivery goes on while it is away. It leads
    partitions too, and in one round of three the bookmark's."""
    print(f"      seed {SEED}", flush=True)
    brokers, moved, led = cluster(), 0, 0
    with scenario("moves") as scene:
        process = scene.courier.run_streaming(timeout=60)
        with Workload(scene.server, SEED, writers=3, rate=6, large=False) as load:
            confirms_again(scene, process, load)
            for number in range(KILLS):
                coordinator = wait_for(lambda: brokers.coordinator("moves-kafka"), "a coordinator")
                gone = brokers.leader("moves.__position") if number % 3 == 2 else coordinator
                led += len([topic for topic, _ in brokers.led_by(gone) if topic.startswith("moves.")])
                brokers.brokers[gone].stop() if number % 2 else brokers.brokers[gone].kill()
                confirms_again(scene, process, load)
                moved += brokers.coordinator("moves-kafka") not in (None, gone) and gone == coordinator
                brokers.brokers[gone].start()
                brokers.wait_in_sync()
                confirms_again(scene, process, load)
            load.stop()
        process.terminate(timeout=60)
        scene.courier.drain()
        equal(scene.verify(events=200)["kafka"]["repeats"], 0)
        print(f"      {KILLS} brokers ended, the coordinator moved {moved} times, {led} partitions lost their leader", flush=True)
        require(moved >= 2 * KILLS // 3 and led > 0, "too few brokers were what they should have been")


def bookmarks(brokers, topic):
    """Offsets of the records in the bookmark's topic, and where it ends."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "looks", "enable.partition.eof": True,
                         "enable.auto.commit": False, "isolation.level": "read_committed"})
    try:
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        offsets = []
        while True:
            message = consumer.poll(20)
            require(message is not None, f"{topic} is not read to its end")
            if message.error():
                require(message.error().code() == KafkaError._PARTITION_EOF, str(message.error()))
                return offsets, message.offset()
            offsets.append(message.offset())
    finally:
        consumer.close()


def case_bookmark_is_compacted():
    """Segments of a few records, compacted as soon as they are closed: what is left is enough to go on from."""
    brokers = cluster()
    for delivery in ("exactly_once", "at_least_once"):
        name = f"compacted-{delivery}"
        topic = f"{name}.__position"
        with scenario(name, sinks__0__kafka__delivery=delivery) as scene:
            first = scene.courier.run()
            first.wait_says("streaming", timeout=60)
            first.terminate(timeout=60)
            brokers.brokers[1].configs_tool("--alter", "--topic", topic, "--add-config",
                                            "segment.bytes=2000,segment.ms=500,min.cleanable.dirty.ratio=0.001,"
                                            "delete.retention.ms=0,min.compaction.lag.ms=0,max.compaction.lag.ms=1000")
            with Workload(scene.server, SEED, writers=2, rate=15, large=False) as load:
                for end in ("kill", "terminate", "kill"):
                    process = scene.courier.run()
                    confirms_again(scene, process, load)

                    def compacted():
                        offsets, at = bookmarks(scene.broker.bootstrap, topic)
                        return offsets and offsets[0] > 20 and len(offsets) < at / 2 and (len(offsets), at)
                    left, at = wait_for(compacted, f"{topic} to be compacted", 60, every=0.3)
                    process.kill() if end == "kill" else process.terminate(timeout=60)
                    scene.server.wait_free()
                load.stop()
            last = scene.courier.drain()
            require(not last.says("no bookmark"), lambda last=last: last.log())
            counts = scene.verify(events=200)["kafka"]
            print(f"      {delivery}: {left} bookmarks left of {at} records", flush=True)
            require(delivery == "at_least_once" or counts["repeats"] == 0, f"something came twice: {counts}")


LARGE_ROWS = 60_000


def case_brokers_allow_less_than_usual():
    """transaction.max.timeout.ms of 5 s, below what is asked for first (60 s): it is taken; and a source transaction that lasts
    longer (the brokers let the client write slowly) ends the program with what to raise, nothing of it to be seen."""
    with KafkaBroker({"transaction.max.timeout.ms": "5000"}) as broker, \
            scenario("brief", broker, limits__in_flight_bytes="256KiB") as scene:
        scene.server.sql("CREATE TABLE big (id bigint PRIMARY KEY, note text); ALTER PUBLICATION shop ADD TABLE big")
        process = scene.courier.run_streaming(timeout=60)
        process.wait_says("streaming")
        require(process.says("transaction.max.timeout.ms from now on"), lambda: process.log())
        scene.server.sql("INSERT INTO big VALUES (0, 'x')")
        process.terminate()
        write_slowly(broker, "brief", 400_000)
        scene.server.sql(f"INSERT INTO big SELECT g, repeat('x', 100) FROM generate_series(1, {LARGE_ROWS}) g")
        process = scene.courier.run()
        process.wait_exit(65, timeout=60)
        require(process.says("and more to come", "raise transaction.max.timeout.ms of the brokers (now 5000 ms)"),
                lambda: process.log())
        equal(sum(records_by_xid(broker.bootstrap, "brief").values()), 1)


def case_longer_than_usual_is_tried_with_the_brokers_maximum():
    """A source transaction that lasts longer than 60 s: once more, with what the brokers allow, and it is there once."""
    with KafkaBroker() as broker, scenario("long", broker, limits__in_flight_bytes="256KiB") as scene:
        scene.server.sql("CREATE TABLE big (id bigint PRIMARY KEY, note text); ALTER PUBLICATION shop ADD TABLE big")
        process = scene.courier.run_streaming(timeout=60)
        process.wait_says("streaming")
        write_slowly(broker, "long", 150_000)
        scene.server.sql(f"INSERT INTO big SELECT g, repeat('x', 100) FROM generate_series(1, {LARGE_ROWS}) g")
        process.wait_says("longer than a Kafka transaction may be", "tried again with the brokers' transaction.max.timeout.ms",
                          timeout=150)
        scene.server.wait_confirmed(scene.server.value("SELECT pg_current_wal_insert_lsn()::text"), timeout=300)
        process.terminate()
        equal(sorted(records_by_xid(broker.bootstrap, "long").values()), [LARGE_ROWS])


def write_slowly(broker, client, bytes_per_second):
    broker.configs_tool("--alter", "--entity-type", "clients", "--entity-name", client, "--add-config",
                        f"producer_byte_rate={bytes_per_second}")


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
