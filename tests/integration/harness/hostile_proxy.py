"""A TCP proxy that knows the server's messages and goes wrong once, at a chosen place of what a real server says."""
import random
import socket
import struct
import threading

from .proxy import RESET
from .waiting import wait_for

LET_IN, COPY_BOTH, COPY_DATA, XLOG_DATA = b"Z", b"W", b"d", b"w"
CHANGE_AT = 5 + 25  # in a CopyData: behind the type, the length and the header of XLogData


def with_length(message, length):
    return message[:1] + struct.pack(">I", length & 0xFFFFFFFF) + message[5:]


class Fault:
    """What goes wrong: `how` (HOW), at `place` ("start-up", "catalog", "commands" of the stream's connection before it
    streams, "stream"), after `skip` messages of that place or, with `change`, at the next such change or keepalive ("k")."""

    def __init__(self, place, how, skip=0, change=None, rng=None):
        self.place, self.how, self.skip, self.change = place, how, skip, change
        self.rng = rng or random.Random(0)
        self.happened = threading.Event()
        self.message = b""

    def __str__(self):
        at = self.change or (f"{self.message[:1].decode(errors='replace')!r} after {self.skip}" if self.message else self.skip)
        return f"{self.place}: {self.how} at {at}"

    def hits(self, place, message):
        """Whether it may happen here."""
        if self.happened.is_set() or place != self.place:
            return False
        if self.change:
            kind = message[CHANGE_AT:CHANGE_AT + 1] if message[5:6] == XLOG_DATA else message[5:6]
            return message[:1] == COPY_DATA and kind == self.change.encode()
        self.skip -= 1
        return self.skip < 0


# How it goes wrong: (fault, message, earlier ones of this connection) to what goes out and what then becomes of the
# connection: None, "close", "reset", "silence" or "drip".
def part_of(fault, message):
    return message[:fault.rng.randrange(len(message))]


def another_type(fault, message):
    return bytes([fault.rng.choice(b"RSKEZTDCdcWGH12nsI?\0\xff".replace(message[:1], b""))])


HOW = {
    "truncated": lambda fault, message, earlier: (part_of(fault, message), "close"),
    "reset": lambda fault, message, earlier: (part_of(fault, message), "reset"),
    "silent": lambda fault, message, earlier: (part_of(fault, message), "silence"),
    "dripped": lambda fault, message, earlier: (message, "drip"),
    "shorter": lambda fault, message, earlier: (with_length(message, len(message) - 2), None),
    "longer": lambda fault, message, earlier: (with_length(message, len(message)), None),
    "no length": lambda fault, message, earlier: (with_length(message, 0), None),
    "huge": lambda fault, message, earlier: (with_length(message, 0x7FFFFFFF), None),
    "negative": lambda fault, message, earlier: (with_length(message, -1), None),
    "empty": lambda fault, message, earlier: (with_length(message, 4)[:5], None),
    "another type": lambda fault, message, earlier: (another_type(fault, message) + message[1:], None),
    "noise in front": lambda fault, message, earlier: (fault.rng.randbytes(16) + message, None),
    "dropped": lambda fault, message, earlier: (b"", None),
    "repeated": lambda fault, message, earlier: (message + message, None),
    "an earlier one in front": lambda fault, message, earlier: (fault.rng.choice(earlier or [message]) + message, None),
    "an earlier one instead": lambda fault, message, earlier: (fault.rng.choice(earlier or [message]), None),
}


class Pair:
    """One forwarded connection: a thread for what the client says, one for the server, message by message."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.place, self.earlier, self.silent, self.dripping, self.ended = "start-up", [], False, False, False
        self.streams = False
        self.threads = [threading.Thread(target=self._run, args=(pump,), daemon=True)
                        for pump in (self._client_to_server, self._server_to_client)]
        for thread in self.threads:
            thread.start()

    def _run(self, pump):
        try:
            pump()
        except OSError:
            pass
        self.end()

    def end(self, reset=False):
        self.ended = True
        try:
            if reset:
                self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            # Wakes the other thread: while it receives, nothing is closed. Without SHUT_WR no FIN goes before the RST.
            self.client.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
            if reset:
                self.client.close()
            self.server.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _client_to_server(self):
        data = self.client.recv(1 << 16)
        self.streams = b"replication\0database\0" in data
        while data:
            if not self.silent:
                self.server.sendall(data)
            data = self.client.recv(1 << 16)

    def _server_to_client(self):
        buffer = b""
        while data := self.server.recv(1 << 16):
            buffer += data
            while len(buffer) >= 5 and len(buffer) > (length := int.from_bytes(buffer[1:5], "big")):
                message, buffer = buffer[:length + 1], buffer[length + 1:]
                self._pass(message)

    def _pass(self, message):
        fault, then = self.proxy.fault, None
        out = message
        if fault and fault.hits(self.place, message):
            out, then = HOW[fault.how](fault, message, self.earlier)
            if (out, then) != (message, None):  # an empty message can't be made empty
                fault.message = message
                fault.happened.set()
            self.dripping = self.dripping or then == "drip"
        self._follow(message)
        if self.silent:
            return
        if self.dripping:
            self._drip(out)
        else:
            self.client.sendall(out)
        self.silent = then == "silence"
        if then in ("close", "reset"):
            self.end(reset=then == "reset")

    def _follow(self, message):
        """Where the honest server is."""
        self.earlier.append(message)
        if message[:1] == LET_IN and self.place == "start-up":
            self.place = "commands" if self.streams else "catalog"
        elif message[:1] == COPY_BOTH:
            self.place = "stream"

    def _drip(self, out):
        for at in range(len(out)):
            self.client.sendall(out[at:at + 1])
            if self.proxy.closing.wait(0.1) or self.ended:
                return


class HostileProxy:
    """`with HostileProxy(server.port) as proxy:` and connect to proxy.port; proxy.fault is the next thing to go wrong."""

    def __init__(self, target):
        self.target = target
        self.fault = None
        self.pairs = []
        self.closing = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)

    def _accept(self):
        while not self.closing.is_set():
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                continue
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pairs.append(Pair(self, client, server))

    def cut(self):
        """Ends all connections in order."""
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            pair.end()

    def wait_streaming(self):
        wait_for(lambda: any(pair.place == "stream" and not pair.ended for pair in self.pairs), "the stream")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
        self.cut()
