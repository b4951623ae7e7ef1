"""A TCP proxy between pgcourier and a server, to cut, reset, freeze, delay or throttle connections."""
import select
import socket
import struct
import threading
import time

RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: close() sends RST
ESTABLISHED = 1  # of TCP_INFO


class Pair:
    """One forwarded connection: two threads, one a direction."""

    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.client = client
        self.server = server
        self.ending = False
        self.reset = False
        self.frozen = False
        self.carried = 0  # bytes, both ways
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setblocking(False)
        self.threads = [threading.Thread(target=self._pump, args=ends, daemon=True)
                        for ends in ((client, server, "to_server"), (server, client, "to_client"))]
        for thread in self.threads:
            thread.start()

    def _pump(self, source, target, direction):
        frames = self.proxy.frames.get(direction, lambda: None)()
        try:
            while not self.ending:
                if self.frozen:
                    time.sleep(0.02)
                    continue
                if not select.select([source], [], [], 0.02)[0]:
                    continue
                if self.proxy.slow:
                    time.sleep(self.proxy.slow)
                    self.proxy.slowed += 1
                data = source.recv(1 << 12 if self.proxy.rate else 1 << 16)
                if not data:
                    break
                self._pace(len(data))
                within = frames.place_within(data) if frames else None
                torn = within is not None and self.proxy.tears(direction)
                self._send(target, data[:within] if torn else data)
                if torn:
                    self.reset = True
                    break
        except (OSError, ValueError):
            pass
        self.ending = True

    def _pace(self, size):
        if self.proxy.rate:
            time.sleep(size / self.proxy.rate)
            self.proxy.throttled += size

    def _send(self, target, data):
        self.proxy.carried += len(data)
        self.carried += len(data)
        while data and not self.ending:
            if select.select([], [target], [], 0.02)[1]:
                data = data[target.send(data):]

    def left_by_client(self):
        """Whether the client has closed its end."""
        return self.client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != ESTABLISHED

    def close(self):
        self.ending = True
        for thread in self.threads:
            thread.join(5)
        for end in (self.client, self.server):
            if self.reset:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.close()


class Proxy:
    """`with Proxy(server.port) as proxy:` and connect to proxy.port. frames: by direction ("to_server", "to_client"), what
    follows its messages (framing.py): where tear() is wanted."""

    def __init__(self, target=None, frames=None):
        self.target = target
        self.frames = frames or {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(0.05)
        self.port = self.listener.getsockname()[1]
        self.pairs = []
        self.lock = threading.Lock()
        self.refusing = False
        self.slow = 0.0  # seconds to sleep before each read
        self.slowed = 0  # reads
        self.rate = 0  # bytes a second and direction of a connection; 0: as they come
        self.throttled = 0  # bytes
        self.tearing = None  # a direction
        self.torn = 0  # connections
        self.accepted = 0
        self.carried = 0  # bytes, both ways
        self.closing = False
        self.thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.closing = True
        self.thread.join(5)
        self.cut()
        self.listener.close()

    def cut(self, reset=True):
        """Ends every connection, with RST or in order (FIN); returns how many."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            pair.reset = reset
            pair.ending = True
        for pair in pairs:
            pair.close()
        return len(pairs)

    def freeze(self, busiest=False):
        """Half-open: the connections of now (busiest: the one that has carried most) stay, and carry nothing any more. Returns
        how many."""
        with self.lock:
            chosen = sorted(self.pairs, key=lambda pair: pair.carried)[-1 if busiest else 0:]
            for pair in chosen:
                pair.frozen = True
            return len(chosen)

    def frozen_and_left(self):
        """How many frozen connections their client has given up."""
        with self.lock:
            return sum(pair.frozen and pair.left_by_client() for pair in self.pairs)

    def end_frozen(self):
        """What was frozen is reset, as by a router that has forgotten it."""
        with self.lock:
            for pair in self.pairs:
                if pair.frozen:
                    pair.reset = pair.ending = True

    def tear(self, direction):
        """The next message of that direction goes out by half, and its connection is reset; `torn` counts it."""
        self.tearing = direction

    def tears(self, direction):
        with self.lock:
            if self.tearing != direction:
                return False
            self.tearing = None
            self.torn += 1
            return True

    def _accept(self):
        while not self.closing:
            self._drop_ended()
            try:
                client, _ = self.listener.accept()
            except OSError:
                continue
            self.accepted += 1
            try:
                if self.refusing:
                    raise OSError("refusing")
                server = socket.create_connection(("127.0.0.1", self.target), timeout=2)
            except OSError:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                client.close()
                continue
            with self.lock:
                self.pairs.append(Pair(self, client, server))

    def _drop_ended(self):
        with self.lock:
            ended = [pair for pair in self.pairs if pair.ending]
            self.pairs = [pair for pair in self.pairs if not pair.ending]
        for pair in ended:
            pair.close()
