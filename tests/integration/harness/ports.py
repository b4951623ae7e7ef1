"""Ports on loopback for the servers of tests."""
import random
import socket


def free_port():
    """Below those that the kernel gives to outgoing connections, one of which might take it before its server does."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
