"""`delivery: exactly_once`: a read_committed consumer sees each committed change once, and never a part of a source
transaction, whatever happens to pgcourier, the broker and the server. `exactly_once.py [words]` runs the cases named by the
words."""
import json
import os
import random
import signal
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from harness.checker import records_by_xid
from harness.program import cases_of, run_cases
from harness.progress import confirms_again
from harness.scenario import Scenario
from harness.snapshots import Snapshots
from harness.waiting import equal, lsn_text, require, wait_for
from harness.workload import Workload

KILLS = int(os.environ.get("PGCOURIER_KILLS", "6"))
SEED = int(os.environ.get("PGCOURIER_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


def scenario(**settings):
    sink = {"sinks__0__kafka__delivery": "exactly_once", **settings}
    return Scenario(sinks=("kafka",), **sink)


def make_slot(scene):
    scene.courier.start("slot", "create", "-c", scene.courier.file).wait_exit(0)


def case_kills():
    """kill -9 at random moments under load."""
    rng, unconfirmed = random.Random(SEED), 0
    print(f"      seed {SEED}", flush=True)
    with scenario() as scene:
        looks = Snapshots(scene.broker.bootstrap)
        make_slot(scene)
        with Workload(scene.server, SEED, writers=3, rate=40, bulk=0.02) as load:
            load.wait_commits(20)
            for number in range(KILLS):
                process = scene.courier.run()
                before = scene.server.slot()["confirmed_flush_lsn"]
                wait_for(lambda: scene.server.slot()["confirmed_flush_lsn"] != before or not process.running(),
                         "something to be confirmed", 30)
                time.sleep(rng.uniform(0.0, 0.7))
                require(process.running(), lambda: f"pgcourier ended by itself:\n{process.log()}")
                process.kill()
                scene.server.wait_free()
                unconfirmed += scene.server.value("SELECT confirmed_flush_lsn < %s::pg_lsn FROM pg_replication_slots",
                                                  lsn_text(load.last_lsn))
                if number % 3 == 0:
                    looks.take()
            load.stop()
        scene.courier.drain()
        require(unconfirmed >= 0.8 * KILLS, f"only {unconfirmed} of {KILLS} kills left something unconfirmed")
        counts = scene.verify()["kafka"]
        equal(counts["repeats"], 0)
        looks.check()


def under_load(disturb, times, rate=15):
    with scenario() as scene:
        make_slot(scene)
        process = scene.courier.run_streaming()
        with Workload(scene.server, SEED, writers=3, rate=rate, large=False) as load:
            confirms_again(scene.server, process, load)
            for number in range(times):
                process = disturb(scene, number, process) or process
                confirms_again(scene.server, process, load)
            load.stop()
        process.terminate()
        scene.courier.drain()
        equal(scene.verify(events=300)["kafka"]["repeats"], 0)


def case_broker_restarts():
    """Orderly and kill -9 in turn: the coordinator is away and comes back."""
    def restart(scene, number, _):
        scene.broker.stop() if number % 2 else scene.broker.kill()
        scene.broker.start()
    under_load(restart, times=2, rate=8)


def case_server_and_program_restart():
    """The server with kill -9, pgcourier with SIGTERM."""
    def restart(scene, number, process):
        if number % 2 == 0:
            return scene.server.restart("kill")
        process.terminate()
        return scene.courier.run_streaming()
    under_load(restart, times=4)


def replaced_while_stopped(scene, load, first, state_dir):
    """Stops `first` until the server has given its slot away; a second one, which is returned, delivers; then the first one
    goes on and is to wait for the slot."""
    os.kill(first.pid, signal.SIGSTOP)
    scene.server.wait_free()
    # Another machine would have a folder of its own.
    scene.courier.set("state_dir", str(scene.courier.folder / state_dir))
    second = scene.courier.run()
    second.wait_says("streaming", timeout=60)
    confirms_again(scene.server, second, load)
    os.kill(first.pid, signal.SIGCONT)
    first.wait_says("waiting as a standby", timeout=30)
    confirms_again(scene.server, second, load)
    first.terminate()
    return second


def case_stopped_and_continued():
    """An instance is stopped until the server gives its slot away; another takes over; then it goes on: it is fenced, and
    waits for the slot."""
    with scenario(server_settings={"wal_sender_timeout": "2s"}) as scene:
        make_slot(scene)
        with Workload(scene.server, SEED, writers=3, rate=15, large=False) as load:
            first = scene.courier.run_streaming()
            for number in range(2):
                first.wait_says("streaming", timeout=60)
                confirms_again(scene.server, first, load)
                first = replaced_while_stopped(scene, load, first, f"state-{number}")
            load.stop()
        first.terminate()
        scene.courier.drain()
        equal(scene.verify(events=300)["kafka"]["repeats"], 0)


def case_stopped_while_it_starts():
    """With the slot in its hands and before it has looked at the bookmarks. When it goes on they are another one's, and the
    slot too: it waits for it, and does not take what was delivered since for a divergence."""
    with scenario(server_settings={"wal_sender_timeout": "2s"}) as scene:
        make_slot(scene)
        with Workload(scene.server, SEED, writers=3, rate=15, large=False) as load:
            load.wait_commits(10)
            first = scene.courier.run()
            wait_for(lambda: (scene.server.slot() or {}).get("active_pid"), "the slot to be taken", 60, every=0.001)
            second = replaced_while_stopped(scene, load, first, "other-state")
            load.stop()
        second.terminate()
        scene.courier.drain()
        equal(scene.verify(events=100)["kafka"]["repeats"], 0)


LARGE_ROWS = 60_000


def write_large(scene, times=1):
    for _ in range(times):
        scene.server.sql(f"INSERT INTO big SELECT g, repeat('x', 100) FROM generate_series(1, {LARGE_ROWS}) g; DELETE FROM big")


def large_table(scene):
    scene.server.sql("CREATE TABLE big (id bigint PRIMARY KEY, note text); ALTER PUBLICATION shop ADD TABLE big")


def seen(scene):
    return records_by_xid(scene.broker.bootstrap)


def received_bytes(scene):
    return max((value for series, value in scene.courier.metrics().items()
                if series.startswith("pgcourier_received_bytes_total")), default=0)


def case_larger_than_what_may_be_in_flight():
    """One source transaction of many Kafka batches, killed in the middle and stopped in the middle: it is there once, and
    nothing of it is until it is whole. A consumer need not wait for a transaction that was stopped."""
    with scenario(limits__in_flight_bytes="1MiB", http=True) as scene:
        large_table(scene)
        scene.courier.run_streaming().terminate()
        write_large(scene)
        for how in (lambda process: process.kill(), lambda process: process.terminate(timeout=15)):
            process = scene.courier.run()
            scene.courier.wait_ready()
            wait_for(lambda: received_bytes(scene) > 3 << 20 or not process.running(),
                     "a part of the transaction to be received", 60)
            require(process.running(), lambda: f"pgcourier ended by itself:\n{process.log()}")
            how(process)
            scene.server.wait_free()
            equal(sum(seen(scene).values()), 0)
        scene.courier.drain()
        equal(sorted(seen(scene).values()), [2 * LARGE_ROWS])


def last_bookmark(scene):
    consumer = Consumer({"bootstrap.servers": scene.broker.bootstrap, "group.id": "bookmarks", "enable.partition.eof": True})
    consumer.assign([TopicPartition("shop.__position", 0, OFFSET_BEGINNING)])
    found = []
    while (message := consumer.poll(20)) and not message.error():
        found.append(message)
    consumer.close()
    return found[-1]


def case_an_aborted_bookmark_is_none():
    """A kill between the bookmark and its commit leaves such a one: what it names was not delivered."""
    with scenario() as scene:
        process = scene.courier.run_streaming()
        process.wait_says('"streaming"')
        process.terminate()
        scene.server.sql("INSERT INTO orders (id) SELECT g FROM generate_series(1, 3) g")
        later = scene.server.value("SELECT pg_current_wal_insert_lsn()::text")
        last = last_bookmark(scene)
        producer = Producer({"bootstrap.servers": scene.broker.bootstrap, "transactional.id": "shop-kafka"})
        producer.init_transactions()
        producer.begin_transaction()
        producer.produce("shop.__position", json.dumps({**json.loads(last.value()), "delivered": later, "position": later}), last.key())
        producer.flush()
        producer.abort_transaction()
        scene.courier.drain()
        equal(sum(seen(scene).values()), 3)


def case_longer_than_a_transaction_may_last():
    """Said with the figures, instead of being tried for ever."""
    with scenario(limits__in_flight_bytes="256KiB",
                  sinks__0__kafka__properties={"transaction.timeout.ms": "1000"}) as scene:
        large_table(scene)
        scene.courier.run_streaming().terminate()
        write_large(scene, times=1)
        process = scene.courier.run()
        process.wait_exit(65, timeout=60)
        require(process.says("records in 1 s, and more to come", "properties.transaction.timeout.ms (now 1000 ms)"),
                lambda: process.log())
        equal(sum(seen(scene).values()), 0)


def case_two_pipelines_with_one_transactional_id():
    """shop-a with the sink b and shop with the sink a-b. The second one fences the first, but where that was committing just
    then the broker's answer may be another error; its next session fences the second one."""
    with scenario(name="shop-a", sinks__0__kafka__id="b") as scene:
        first = scene.courier.run_streaming()
        first.wait_says('"streaming"')
        scene.courier.set("name", "shop")
        scene.courier.set("sinks.0.kafka.id", "a-b")
        scene.courier.set("source.slot", "other")
        scene.courier.set("state_dir", str(scene.courier.folder / "other-state"))
        second = scene.courier.run_streaming()
        scene.server.sql("INSERT INTO orders (id) VALUES (1)")
        wait_for(lambda: not (first.running() and second.running()), "one of them to end", 30)
        fenced = second if first.running() else first
        fenced.wait_exit(78)
        require(fenced.says("two pipelines share one"), lambda: fenced.log())


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
