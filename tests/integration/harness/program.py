"""What every test program does at its top: arguments, a seed, groups of named cases, the last line."""
import argparse
import os
import random
import sys
import time
import traceback

from .courier import BINARY
from .waiting import TestFailure, require


def arguments(description, **extra):
    """--seed and what else the test names: arguments(__doc__, kills=50)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("PGCOURIER_SEED", "0")) or
                        random.SystemRandom().randrange(1, 10**6))
    for name, default in extra.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    return parser.parse_args()


def run_cases(cases, description):
    """Runs the functions (all, or those whose name holds a word of the command line); each prints its own line.
    A failure does not keep the next from running. Ends the program."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("only", nargs="*", help="run the cases whose name holds one of these words")
    words = parser.parse_args().only
    chosen = [case for case in cases if not words or any(word in case.__name__ for word in words)]
    require(os.access(BINARY, os.X_OK), f"no pgcourier at {BINARY}: ./dev build makes it, PGCOURIER_BIN names another")
    failed = []
    for case in chosen:
        started = time.monotonic()
        try:
            case()
            print(f"ok    {case.__name__} ({time.monotonic() - started:.1f} s)", flush=True)
        except Exception as error:
            if not isinstance(error, TestFailure):
                traceback.print_exc()
            print(f"FAIL  {case.__name__} ({time.monotonic() - started:.1f} s): {error}", flush=True)
            failed.append(case.__name__)
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed {' '.join(failed)}")
    sys.exit(1 if failed or not chosen else 0)


def cases_of(module_globals, prefix="case_"):
    return [value for name, value in module_globals.items() if name.startswith(prefix) and callable(value)]
