"""The scenarios of PostgreSQL's own subscriber tests (src/test/subscription/t), by their names, on each major that has
them, with pgcourier as the consumer. SUBSCRIPTION.md says what each is about. `subscription.py [words]` runs those named
by the words: `subscription.py 18` all of PostgreSQL 18, `subscription.py 028` the row filters on each."""
import atexit
import functools
import re
from pathlib import Path

from harness.postgres import Postgres
from harness.program import cases_of, run_cases
from harness.waiting import equal
from subscription_scenarios import changes, others, publications, transactions

MAJORS = (14, 15, 16, 17, 18)
SCENARIOS = [scenario for module in (changes, publications, transactions, others)
             for scenario in cases_of(vars(module), "scenario_")]


@functools.cache
def server(major):
    """Decodes large transactions by way of its disk, as it does where they are streamed."""
    made = Postgres(major, logical_decoding_work_mem="64kB", max_prepared_transactions=10, lock_timeout="20s")
    atexit.register(made.remove)
    return made.__enter__()


def on(major, scenario):
    def case():
        scenario(server(major))
    case.__name__ = f"{scenario.__name__.removeprefix('scenario_')}_on_{major}"
    return case


def case_every_name_of_the_table_is_a_test():
    """And every test is in the table."""
    table = (Path(__file__).parent / "SUBSCRIPTION.md").read_text()
    named = set(re.findall(r"`(\d{3}_\w+)`",
                           "".join(row.split("|")[3] for row in table.splitlines() if row[:3] == "| `")))
    equal(named, {scenario.__name__.removeprefix("scenario_") for scenario in SCENARIOS})


if __name__ == "__main__":
    run_cases([case_every_name_of_the_table_is_a_test] +
              [on(major, scenario) for major in MAJORS for scenario in SCENARIOS
               if major >= getattr(scenario, "since", 0)], __doc__)
