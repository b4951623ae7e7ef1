"""Between pgcourier and PostgreSQL, between pgcourier and the broker: both through a proxy."""
import time

from fault import fault, happened
from moments import grown, shown

LONG_SECONDS = 30  # within which pgcourier and librdkafka notice that nobody answers


def flowing(proxy):
    grown(lambda: proxy.carried, 1, "byte on its way")


def cut(run, proxy):
    flowing(proxy)
    ended = proxy.cut(reset=False)
    happened(ended, "no connection was there")
    if run.rng.random() < 0.3:
        proxy.refusing = True
        try:
            refused = grown(lambda: proxy.accepted, 1, "attempt to connect")
        finally:
            proxy.refusing = False
        return f"{ended} connections ended, {refused} refused"
    return f"{ended} connections ended"


def tear(run, proxy, directions):
    before, direction = proxy.torn, run.rng.choice(directions)
    proxy.tear(direction)
    try:
        shown(lambda: proxy.torn > before, "message to tear")
    finally:
        proxy.tear(None)
    return f"a message {direction.replace('_', ' ')} went out by half, then RST"


def delay(run, proxy):
    seconds = run.rng.uniform(0.05, 0.4)
    proxy.slow = seconds
    try:
        reads = grown(lambda: proxy.slowed, 6, "delayed bytes", 15)
        run.meanwhile()
    finally:
        proxy.slow = 0.0
    return f"{reads} reads delayed by {1000 * seconds:.0f} ms"


def throttle(run, proxy):
    rate = run.rng.choice((16, 64, 128)) << 10
    proxy.rate = rate
    try:
        size = grown(lambda: proxy.throttled, rate, "throttled bytes", 15)
        run.meanwhile()
    finally:
        proxy.rate = 0
    return f"{size} bytes at {rate >> 10} KiB/s"


def freeze(run, proxy):
    """Half-open: the connections are there and carry nothing, until pgcourier gives one up."""
    flowing(proxy)
    started = time.monotonic()
    frozen = proxy.freeze(busiest=run.rng.random() < 0.5)
    try:
        happened(frozen, "no connection was there")
        shown(proxy.frozen_and_left, "connection given up", LONG_SECONDS)
        left = proxy.frozen_and_left()
    finally:
        proxy.end_frozen()
    return f"{left} of {frozen} given up after {time.monotonic() - started:.1f} s"


def between(name, title, proxy_of, directions):
    for kind, words, inject in (("cut", "cut (FIN)", cut), ("reset", "reset in mid-message", None), ("delay", "delayed", delay),
                                ("throttle", "throttled", throttle), ("freeze", "half-open", freeze)):
        if inject:
            fault(f"{name}-{kind}", f"{title}: {words}")(lambda run, inject=inject: inject(run, proxy_of(run)))
        else:
            fault(f"{name}-{kind}", f"{title}: {words}")(lambda run: tear(run, proxy_of(run), directions))


between("source", "network to PostgreSQL", lambda run: run.source, ("to_client",))
between("kafka", "network to Kafka", lambda run: run.kafka, ("to_server", "to_client"))
