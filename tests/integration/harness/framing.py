"""Where one direction of a connection is between messages, and where within one."""
import struct


class Frames:
    """Follows a stream of messages of `header` bytes, whose length stands at `length_at` and does not count the first
    `uncounted` bytes."""

    def __init__(self, header, length_at, uncounted):
        self.header, self.length_at, self.uncounted = header, length_at, uncounted
        self.beginning = b""  # of a message whose header is not whole yet
        self.left = 0  # bytes to come of one whose header is

    def place_within(self, data):
        """An offset of `data`, the next bytes of the stream, that is within a message, of the longest one there; or None."""
        longest, at = (0, 0), 0
        while at < len(data):
            begin = at
            if not self.left:
                piece = data[at:at + self.header - len(self.beginning)]
                self.beginning += piece
                at += len(piece)
                if len(self.beginning) < self.header:
                    break
                length = struct.unpack_from(">I", self.beginning, self.length_at)[0]
                self.left, self.beginning = self.uncounted + length - self.header, b""
            step = min(self.left, len(data) - at)
            at, self.left = at + step, self.left - step
            longest = max(longest, (at - begin, begin))
        size, begin = longest
        return begin + size // 2 if size > 1 else None


def postgres_server():
    """What a server says; REQUIRES: no TLS and no GSSAPI are asked for."""
    return Frames(header=5, length_at=1, uncounted=1)


def kafka():
    """Requests as well as answers."""
    return Frames(header=4, length_at=0, uncounted=4)
