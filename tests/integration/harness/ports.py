"""Ports on loopback for the servers of tests."""
import random
import socket

_taken = []  # sockets whose names tell other programs of tests what this one has chosen, until it ends


def _reserve(port):
    """False: another program has chosen it, and its server may not have it yet. The name is Linux's abstract kind: no file."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0pgcourier-test-port-{port}")
    except OSError:
        name.close()
        return False
    _taken.append(name)
    return True


def free_port():
    """Below those that the kernel gives to outgoing connections, one of which might take it before its server does."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if _reserve(port):
            return port
