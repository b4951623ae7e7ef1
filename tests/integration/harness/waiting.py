"""Waiting with a deadline, free ports, LSN arithmetic: what every driver needs."""
import time


class TestFailure(Exception):
    """What the test is about does not hold."""


def wait_for(condition, what, timeout=30.0, every=0.02):
    """Polls until condition() is true and returns its value; raises when the deadline passes."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TestFailure(f"waited {timeout:.0f} s for {what() if callable(what) else what}")
        time.sleep(every)


def require(truth, message):
    if not truth:
        raise TestFailure(message() if callable(message) else message)


def equal(found, wanted):
    require(found == wanted, lambda: f"{found}\n        instead of {wanted}")


def lsn(text):
    """'0/16B3748' as a number."""
    high, low = text.split("/")
    return (int(high, 16) << 32) | int(low, 16)


def lsn_text(number):
    return f"{number >> 32:X}/{number & 0xFFFFFFFF:X}"
