"""What a fault is, and the list of all of them."""


class NotHappened(Exception):
    """It was tried and did not take place, or can't be shown to have: it does not count."""


class Fault:
    """inject(run) returns what was seen of it; it gives back what it took (a disk, a broker) before it returns."""

    def __init__(self, name, title, inject, needs_files):
        self.name, self.title, self.inject, self.needs_files = name, title, inject, needs_files


FAULTS = {}  # by name


def fault(name, title, needs_files=False):
    def register(inject):
        FAULTS[name] = Fault(name, title, inject, needs_files)
        return inject
    return register


def happened(condition, reason):
    if not condition:
        raise NotHappened(reason)
