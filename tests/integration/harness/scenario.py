"""A server with the workload's tables, a broker where one is wanted, one pipeline, and the check at the end."""
import contextlib

from .checker import check_files, check_kafka
from .courier import Courier
from .kafka_broker import KafkaBroker
from .postgres import Postgres
from .schema import schema_of
from .truth import Truth
from .waiting import require


class Scenario(contextlib.ExitStack):
    """`with Scenario(sinks=("files", "kafka")) as scene:` gives scene.server, scene.broker, scene.courier."""

    def __init__(self, sinks=("files",), major=15, fsync=False, url=None, server_settings=None, broker=None, **settings):
        """broker: one that is there and stays."""
        super().__init__()
        self.sinks = sinks
        try:
            self.server = self.enter_context(Postgres(major, fsync=fsync, **(server_settings or {})))
            self.server.sql(schema_of())
            # Room for rows of 1 MB with their old values: what is too large for a topic is exits.py's business.
            self.broker = broker or (
                self.enter_context(KafkaBroker({"message.max.bytes": 8 << 20})) if "kafka" in sinks else None)
            brokers = self.broker.bootstrap if self.broker else None
            self.courier = self.enter_context(Courier(self.server, sinks, brokers=brokers, url=url, **settings))
        except BaseException:
            self.close()
            raise

    def verify(self, events=1000):
        """Compares every sink with the truth; returns counts by sink. Fails when less than that many changes were
        there to compare."""
        truth, counts = Truth.of(self.server), {}
        require(truth.changes >= events, f"the workload made only {truth.changes} changes")
        if "files" in self.sinks:
            counts["files"] = check_files(self.courier.files, truth, self.courier.name)
        if "kafka" in self.sinks:
            exactly = self.courier.settings["sinks"][self.sinks.index("kafka")]["kafka"].get("delivery") == "exactly_once"
            counts["kafka"] = check_kafka(self.broker.bootstrap, truth, self.courier.name, exactly)
        for sink, count in counts.items():
            print(f"      {sink}: " + ", ".join(f"{number} {name}" for name, number in count.items()), flush=True)
        return counts
