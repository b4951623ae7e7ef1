"""Of pgcourier, of PostgreSQL and of the broker: killed, ended, stopped."""
import signal
import time

from fault import fault, happened
from harness.progress import confirms_again
from moments import shown, stopped_for


# -- pgcourier -----------------------------------------------------------------------------------------------------
@fault("courier-kill", "pgcourier: kill -9")
def kill(run):
    behind = run.unconfirmed_bytes()
    run.process.kill()
    happened(run.process.popen.returncode == -signal.SIGKILL, f"exit {run.process.popen.returncode}")
    run.look()
    run.start()
    return f"died of SIGKILL, {behind} bytes of WAL unconfirmed"


@fault("courier-term", "pgcourier: SIGTERM")
def terminate(run):
    started = time.monotonic()
    run.process.terminate()
    run.start()
    return f"exit 0 after {time.monotonic() - started:.1f} s"


@fault("courier-stop", "pgcourier: SIGSTOP, SIGCONT")
def stop_and_continue(run):
    seconds = run.rng.uniform(0.1, 1.5)
    run.process.popen.send_signal(signal.SIGSTOP)
    try:
        stopped_for(run.process.pid, seconds)
    finally:
        run.process.popen.send_signal(signal.SIGCONT)
    return f"stopped for {seconds:.1f} s"


@fault("courier-replace", "pgcourier: stopped, replaced, continued")
def replace(run):
    """Files are locked: there the second instance gets them when the first one goes on or is killed. Without them it takes
    over at once, and the first one goes on as what it no longer is."""
    first = run.process
    confirms_again(run.server, first, run.load)  # it has something to lose
    first.popen.send_signal(signal.SIGSTOP)
    try:
        stopped_for(first.pid, 0)
        second = run.second_instance()
        if run.has_files:
            second.wait_says("waiting for a lock", timeout=30)
            how = run.rng.choice((signal.SIGCONT, signal.SIGKILL))
            seen = f"the second one waited for its lock; then {how.name}"
        else:
            second.wait_says("streaming", timeout=30)
            confirms_again(run.server, second, run.load)
            how, seen = signal.SIGCONT, "the second one delivered; then SIGCONT"
    finally:
        first.popen.send_signal(signal.SIGCONT)
    if how == signal.SIGKILL:
        first.kill()
    elif run.has_files:
        confirms_again(run.server, first, run.load)  # one of the two
        first.terminate()
    else:
        first.wait_says("waiting as a standby", timeout=30)
        first.terminate()
    run.process = second
    return seen


# -- PostgreSQL ----------------------------------------------------------------------------------------------------
def restart(run, how, words):
    before, said = run.server.pid(), run.server_says(words)
    run.server.restart(how)
    happened(run.server.pid() != before and run.server_says(words) > said, f"no '{words}' in its log")
    return f"its log: '{words}'"


@fault("server-fast", "PostgreSQL: restart, fast")
def server_fast(run):
    return restart(run, "fast", "database system was shut down")


@fault("server-immediate", "PostgreSQL: restart, immediate")
def server_immediate(run):
    return restart(run, "immediate", "was not properly shut down")


@fault("server-kill", "PostgreSQL: kill -9")
def server_kill(run):
    return restart(run, "kill", "was not properly shut down")


# -- the broker ----------------------------------------------------------------------------------------------------
def end_broker(run, end, code):
    ended = run.broker.process
    end()
    try:
        run.meanwhile()
    finally:
        run.broker.start()
    happened(ended.returncode == code, f"exit {ended.returncode}")
    return f"exit {ended.returncode}"


@fault("broker-kill", "broker: kill -9")
def broker_kill(run):
    return end_broker(run, run.broker.kill, -signal.SIGKILL)


@fault("broker-stop", "broker: orderly stop")
def broker_stop(run):
    return end_broker(run, run.broker.stop, 128 + signal.SIGTERM)  # as a JVM ends


@fault("broker-pause", "broker: SIGSTOP, SIGCONT")
def broker_pause(run):
    """Sometimes for longer than a request waits for its answer."""
    seconds, asked = run.rng.choice((0.3, 1.0, 4.0)), run.kafka.carried
    run.broker.pause()
    try:
        stopped_for(run.broker.process.pid, seconds)
        shown(lambda: run.kafka.carried > asked, "request to it", 5)
        run.meanwhile()
    finally:
        run.broker.resume()
    return f"stopped for {seconds:.1f} s, {run.kafka.carried - asked} bytes were sent to it"
