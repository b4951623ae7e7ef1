"""One Kafka broker (KRaft, combined mode) on a free loopback port, in a folder of its own.

    with KafkaBroker() as kafka:
        print(kafka.bootstrap)      # 127.0.0.1:PORT
        kafka.kill(); kafka.start() # kill -9, back on the same port with the same data
"""

import atexit
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

from .ports import free_port

ROOT = pathlib.Path(__file__).resolve().parents[3]
CLUSTER_ID = "cGdjb3VyaWVyLXRlc3RzMQ"  # any 16 bytes in base64


def jars():
    """The folder of Kafka's jars, fetched on the first call."""
    done = subprocess.run([ROOT / "scripts/install_kafka"], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError("scripts/install_kafka failed; its output says why")
    return done.stdout.strip().splitlines()[-1]


class KafkaBroker:
    """`properties` are added to server.properties, over the defaults here. `listeners` adds ports with a protocol of
    their own: {"SASL_SSL": {"ssl.keystore.location": …}}; their addresses are in `addresses`. A member of a cluster
    (kafka_cluster.py) is made with start=False."""

    def __init__(self, properties=None, heap="512m", listeners=None, start=True):
        self.port = free_port()
        self.controller_port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.listeners = listeners or {}
        self.addresses = {protocol: f"127.0.0.1:{free_port()}" for protocol in self.listeners}
        self.heap = heap
        self.process = None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pgcourier-kafka-"))
        self.log = self.folder / "kafka.log"
        self._classpath = jars() + "/*"
        self._logging = self.folder / "log4j.properties"
        self._logging.write_text(
            "log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n"
            "log4j.appender.out.Target=System.err\n"
            "log4j.appender.out.layout=org.apache.log4j.PatternLayout\n"
            "log4j.appender.out.layout.ConversionPattern=%d %p %m (%c)%n\n")
        atexit.register(self.close)
        if start:
            self.format(properties or {})
            self.start()

    def format(self, properties):
        self._write_properties(properties)
        self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self._properties))

    def start(self, timeout=60):
        """Starts the process and waits until it answers. Does nothing while one runs."""
        if not self.process or self.process.poll() is not None:
            self.launch()
            self.wait(timeout)

    def launch(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self._command("kafka.Kafka", str(self._properties)), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True)

    def wait(self, timeout=60):
        deadline = time.monotonic() + timeout
        while not self.answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"Kafka ended with {self.process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kafka did not answer in {timeout} s:\n{self.log_tail()}")
            time.sleep(0.1)

    def stop(self, timeout=30):
        """Orderly (SIGTERM); kill -9 if it takes too long."""
        self._end(signal.SIGTERM, timeout)

    def kill(self):
        """kill -9: nothing is flushed, clients see their connections break."""
        self._end(signal.SIGKILL, 10)

    def pause(self):
        """SIGSTOP: connections stay open, nothing is answered."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def close(self):
        """Ends the process and removes the folder."""
        self._end(signal.SIGKILL, 10)
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def topics_tool(self, *arguments):
        """kafka-topics.sh: e.g. topics_tool("--create", "--topic", "t", "--partitions", "3")."""
        return self._java("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.bootstrap, *arguments)

    def configs_tool(self, *arguments):
        """kafka-configs.sh: e.g. configs_tool("--alter", "--topic", "t", "--add-config", "max.message.bytes=2000")."""
        return self._java("kafka.admin.ConfigCommand", "--bootstrap-server", self.bootstrap, *arguments)

    def read_with_java(self, topics):
        """What Kafka's own consumer reads of the topics (a regular expression), a line a record: the columns are
        CreateTime:…, Partition:…, Offset:…, headers, key and value, with tabs between them."""
        columns = [word for column in ("timestamp", "partition", "offset", "headers", "key")
                   for word in ("--property", f"print.{column}=true")]
        done = subprocess.run(self._command(
            "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", self.bootstrap, "--include", topics,
            "--from-beginning", "--timeout-ms", "8000", *columns), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return done.stdout.splitlines()

    def answers(self):
        """Whether an ApiVersions request (key 18, version 0) gets an answer and the broker is no longer fenced."""
        header = struct.pack(">hhih", 18, 0, 1, -1)
        metadata = struct.pack(">hhih", 3, 1, 2, -1) + struct.pack(">i", 0)  # version 1, no topics: brokers only
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.settimeout(2)
                self.request(connection, header)
                return struct.unpack(">i", self.request(connection, metadata)[4:8])[0] > 0
        except (OSError, struct.error, EOFError):
            return False

    def log_tail(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    @staticmethod
    def request(connection, request):
        connection.sendall(struct.pack(">i", len(request)) + request)
        size = struct.unpack(">i", KafkaBroker._read(connection, 4))[0]
        return KafkaBroker._read(connection, size)

    @staticmethod
    def _read(connection, size):
        data = b""
        while len(data) < size:
            piece = connection.recv(size - len(data))
            if not piece:
                raise EOFError("the broker closed the connection")
            data += piece
        return data

    def _end(self, with_signal, timeout):
        if not self.process:
            return
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
            if with_signal != signal.SIGKILL:
                try:
                    self.process.wait(timeout)
                except subprocess.TimeoutExpired:
                    self.process.kill()
        self.process.wait()
        self.process = None

    def _write_properties(self, properties):
        more = "".join(f",{protocol}://{address}" for protocol, address in self.addresses.items())
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}{more}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}{more}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT" + "".join(
                f",{protocol}:{protocol}" for protocol in self.listeners),
            "log.dirs": str(self.folder / "data"),
            "num.partitions": "6",
            "default.replication.factor": "1",
            "min.insync.replicas": "1",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "2",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "2",
            "group.initial.rebalance.delay.ms": "0",
            "num.network.threads": "2",
            "num.io.threads": "4",
            "log.cleaner.dedupe.buffer.size": "4194304",
            "log.index.size.max.bytes": "1048576",
            # A fresh broker is fenced until its first heartbeat is through.
            "broker.heartbeat.interval.ms": "500",
            "broker.session.timeout.ms": "3000",
        }
        for protocol, own in self.listeners.items():
            settings.update({f"listener.name.{protocol.lower()}.{key}": value for key, value in own.items()})
        settings.update(properties)
        self._properties = self.folder / "server.properties"
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))

    def _command(self, *arguments):
        return ["java", f"-Xmx{self.heap}", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                f"-Dlog4j.configuration=file:{self._logging}", "-cp", self._classpath, *arguments]

    def _java(self, *arguments):
        done = subprocess.run(self._command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{arguments[0]} failed:\n{done.stdout}")
        return done.stdout
