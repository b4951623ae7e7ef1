"""Of the disk that the files sink writes to (tests/support/power_cut)."""
import signal
import time

from fault import fault, happened
from moments import grown


def under(run, fault_made, times=1, lasts=False, **values):
    """With these faults of the disk until the shim has made one that often; how often it was, and then none any more."""
    before = run.disk.made(fault_made)
    run.disk.faults(**values)
    try:
        grown(lambda: run.disk.made(fault_made), times, fault_made)
        if lasts:
            time.sleep(run.rng.uniform(0.0, 0.7))
            run.meanwhile()
    finally:
        run.disk.faults()
    return run.disk.made(fault_made) - before


@fault("disk-full", "disk: full (ENOSPC)", needs_files=True)
def full(run):
    times = under(run, "ENOSPC", times=2, lasts=True, ENOSPC_AFTER=run.rng.choice((0, 0, 1000, 20000)))
    return f"ENOSPC {times} times"


@fault("disk-slow", "disk: slow fsync", needs_files=True)
def slow(run):
    milliseconds = run.rng.randint(100, 500)
    return f"{under(run, 'FSYNC_MS', times=3, lasts=True, FSYNC_MS=milliseconds)} fsyncs took {milliseconds} ms longer"


@fault("disk-fsync", "disk: EIO from fsync", needs_files=True)
def failing_fsync(run):
    number = run.rng.randint(1, 4)
    under(run, "EIO_FSYNC", EIO_FSYNC=number)
    return f"EIO from the fsync number {number}"


@fault("disk-write", "disk: EIO from write", needs_files=True)
def failing_write(run):
    number = run.rng.randint(1, 6)
    under(run, "EIO_WRITE", EIO_WRITE=number)
    return f"EIO from the write number {number}"


@fault("disk-power-cut", "disk: power cut", needs_files=True)
def power_cut(run):
    """While an fsync has not returned; sometimes with what an instance left that was killed shortly before."""
    killed_before = run.rng.random() < 0.3 and kill_and_keep(run)
    run.disk.faults(FSYNC_MS=300)
    try:
        grown(lambda: run.disk.made("FSYNC_MS"), run.rng.randint(1, 3), "fsync")
        time.sleep(run.rng.uniform(0.0, 0.25))
        run.process.kill()
    finally:
        run.disk.faults()
    known = run.disk.knows_all()
    changed = run.disk.power_cut(run.rng.randrange(2**32)) if known else []
    died = run.process.popen.returncode
    run.start()
    happened(known, "pgcourier died between a write and its record in the journal")
    happened(died == -signal.SIGKILL and changed, "nothing was lost by it")
    return f"{len(changed)} files lost bytes or their names" + (", some of an instance killed before" if killed_before else "")


def kill_and_keep(run):
    """kill -9 and a new start, with what was not synced before still at stake. False if the journal has not all of it: the
    process may have died between a write and its record."""
    run.process.kill()
    kept = run.disk.knows_all()
    run.start(forget=not kept)
    grown(lambda: run.disk.journal.stat().st_size, 1, "write")
    return kept
