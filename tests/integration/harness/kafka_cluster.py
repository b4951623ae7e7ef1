"""Three small Kafka brokers, all controllers too; each topic on all of them, a record acknowledged by two."""
import concurrent.futures
import socket
import struct

from confluent_kafka.admin import AdminClient

from .kafka_broker import KafkaBroker
from .waiting import wait_for

SIZE = 3
PROPERTIES = {
    "default.replication.factor": SIZE,
    "min.insync.replicas": 2,
    "offsets.topic.replication.factor": SIZE,
    "transaction.state.log.replication.factor": SIZE,
    "transaction.state.log.min.isr": 2,
    "replica.lag.time.max.ms": 5000,
    "num.partitions": 3,
    "message.max.bytes": 8 << 20,
    "replica.fetch.max.bytes": 8 << 20,
}


class KafkaCluster:
    """`with KafkaCluster() as cluster:` brokers are numbered from 1; `properties` go to each of them."""

    def __init__(self, properties=None, heap="256m"):
        self.brokers = {number: KafkaBroker(heap=heap, start=False) for number in range(1, SIZE + 1)}
        self.bootstrap = ",".join(broker.bootstrap for broker in self.brokers.values())
        voters = ",".join(f"{number}@127.0.0.1:{broker.controller_port}" for number, broker in self.brokers.items())

        def format_one(number):
            self.brokers[number].format({**PROPERTIES, **(properties or {}), "node.id": number,
                                         "controller.quorum.voters": voters})
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(format_one, self.brokers))
        for broker in self.brokers.values():
            broker.launch()
        for broker in self.brokers.values():
            broker.wait(120)
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap})
        self.wait_in_sync()

    def partitions(self):
        """{(topic, partition): its metadata}"""
        topics = self.admin.list_topics(timeout=10).topics.values()
        return {(topic.topic, number): metadata for topic in topics for number, metadata in topic.partitions.items()}

    def wait_in_sync(self):
        """Until every broker is there and holds all of its partitions."""
        wait_for(lambda: len(self.admin.list_topics(timeout=10).brokers) == SIZE and
                 all(len(each.isrs) == SIZE for each in self.partitions().values()), "the brokers to be in sync", 90, every=0.2)

    def leader(self, topic, partition=0):
        return self.partitions()[topic, partition].leader

    def led_by(self, number):
        """Partitions whose leader is this broker, those of Kafka itself left out."""
        return [place for place, metadata in self.partitions().items()
                if metadata.leader == number and not place[0].startswith("__")]

    def coordinator(self, transactional_id):
        """The number of the broker that coordinates the transactions of the id; None while nobody does."""
        for broker in self.brokers.values():
            try:
                number = self._ask_coordinator(broker, transactional_id.encode())
            except (OSError, EOFError):
                continue
            if number is not None:
                return number
        return None

    @staticmethod
    def _ask_coordinator(broker, transactional_id):
        # FindCoordinator (key 10) version 1, for a transaction (1); the answer: throttle time, error, message, node.
        request = (struct.pack(">hhih", 10, 1, 3, -1) + struct.pack(">h", len(transactional_id)) + transactional_id + b"\x01")
        with socket.create_connection(("127.0.0.1", broker.port), timeout=1) as connection:
            connection.settimeout(5)
            answer = broker.request(connection, request)
        error, message_size = struct.unpack(">hh", answer[8:12])
        node, = struct.unpack_from(">i", answer, 12 + max(message_size, 0))
        return None if error else node

    def close(self):
        for broker in self.brokers.values():
            broker.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
