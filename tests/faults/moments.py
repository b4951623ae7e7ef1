"""Waiting for what shows that a fault took place."""
import time
from pathlib import Path

from fault import NotHappened


def shown(condition, what, timeout=10.0):
    """Polls until condition() is true and returns its value; the fault has not happened when the time is over."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise NotHappened(f"no {what} in {timeout:.0f} s")
        time.sleep(0.005)
    return value


def state(pid):
    """R, S, T, …"""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def stopped_for(pid, seconds):
    """REQUIRES: SIGSTOP was sent."""
    shown(lambda: state(pid) == "T", f"stop of {pid}")
    time.sleep(seconds)


def grown(count, by=1, what="traffic", timeout=10.0):
    """Until count() is that much higher than now."""
    before = count()
    shown(lambda: count() >= before + by, what, timeout)
    return count() - before
