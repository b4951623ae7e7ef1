"""The scenarios of PostgreSQL's src/test/subscription/t, each a function scenario_<its name>[_what](server)."""


def since(major):
    """The first major that has what the scenario is about; without it, all have."""
    def mark(function):
        function.since = major
        return function
    return mark
