"""One server, one broker and one pipeline between two proxies, on a disk that can fail."""
import contextlib

from harness import framing
from harness.faulty_disk import FaultyDisk
from harness.kafka_broker import KafkaBroker
from harness.ports import free_port
from harness.proxy import Proxy
from harness.scenario import Scenario
from harness.snapshots import Snapshots
from harness.waiting import lsn
from plan import SMALL_WORK_MEM

# Whatever is waited for by the clock alone is short, so that many faults fit into an hour.
SERVER = {"wal_sender_timeout": "3s"}
SOURCE = {"source__silence_timeout": "2s", "source__shutdown_grace": "2s", "shutdown_timeout": "10s"}
KAFKA = {"socket.timeout.ms": "3000", "reconnect.backoff.max.ms": "500"}


class ProxiedBroker(KafkaBroker):
    """A broker that tells the clients of one more listener to come by way of a proxy."""

    def __init__(self, proxy_port):
        self.proxy_port, self.behind_proxy = proxy_port, free_port()
        super().__init__({"message.max.bytes": 8 << 20})

    def _write_properties(self, properties):
        super()._write_properties({
            **properties,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port},"
                         f"PROXIED://127.0.0.1:{self.behind_proxy}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port},PROXIED://127.0.0.1:{self.proxy_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT"})


class Pipeline(Scenario):
    """`with Pipeline(plan, shim) as run:` nothing runs yet but server and broker: start()."""

    def __init__(self, plan, shim):
        self.plan, self.rng, self.has_files = plan, plan.rng, plan.has_files
        self.process = self.load = None
        self.meanwhile = lambda: None  # another fault while one lasts
        self.under = contextlib.ExitStack()
        try:
            self.source = self.under.enter_context(Proxy(frames={"to_client": framing.postgres_server}))
            self.kafka = self.under.enter_context(Proxy(frames={"to_client": framing.kafka, "to_server": framing.kafka}))
            broker = self.under.enter_context(ProxiedBroker(self.kafka.port))
            server = {**SERVER, **({"logical_decoding_work_mem": SMALL_WORK_MEM} if plan.small_work_mem else {})}
            super().__init__(plan.sinks, server_settings=server, broker=broker, **SOURCE)
        except BaseException:
            self.under.close()
            raise
        self.source.target, self.kafka.target = self.server.port, broker.behind_proxy
        self.snapshots = Snapshots(broker.bootstrap)
        self.disk = FaultyDisk(self.courier.files, self.courier.folder, shim)
        self._set()

    def __exit__(self, *exception):
        with self.under:
            return super().__exit__(*exception)

    def _set(self):
        """The settings of pgcourier."""
        courier, plan = self.courier, self.plan
        # In clear: the proxy looks for the messages.
        courier.set("source.url", self.server.url(port=self.source.port, parameters="?sslmode=disable&gssencmode=disable"))
        courier.set("source.streaming", "on" if plan.streaming else "off")
        courier.set("limits", {"in_flight_bytes": plan.in_flight, "transaction_memory": "256KiB"})
        if plan.has_files:
            courier.set("sinks.0.files.rotate", {"size": "200KiB" if plan.compression == "none" else "40KiB"})
            courier.set("sinks.0.files.compression", plan.compression)
        courier.set(f"sinks.{len(plan.sinks) - 1}.kafka", {
            "brokers": f"127.0.0.1:{self.kafka.port}", "delivery": plan.delivery, "properties": KAFKA,
            "create_topics": {"partitions": 3}})

    # -- pgcourier ---------------------------------------------------------------------------------------------
    def start(self, forget=True):
        """forget: what is written so far is no more at stake in a power cut."""
        if forget:
            self.disk.forget()
        self.process = self.courier.run(env=self.disk.environment)

    def second_instance(self):
        """Beside the first one; on another machine if there is nothing to share."""
        if not self.has_files:
            self.courier.set("state_dir", f"{self.courier.folder}/state-{len(self.courier.processes)}")
        return self.courier.run(env=self.disk.environment)

    def look(self):
        """REQUIRES: no pgcourier runs. Does nothing while the broker does not answer."""
        if self.plan.delivery == "exactly_once" and self.broker.process and self.broker.answers():
            self.snapshots.take()

    def verify(self, events=1000):
        if self.snapshots.taken:
            self.snapshots.check()
        return super().verify(events)

    # -- what is seen ------------------------------------------------------------------------------------------
    def unconfirmed_bytes(self):
        return max(0, self.load.last_lsn - lsn(self.server.slot()["confirmed_flush_lsn"]))

    def server_says(self, words):
        return (self.server.folder / "log").read_text(errors="replace").count(words)
