#!/usr/bin/env python3
"""Runs kafka_live_tests against a broker and does to the broker what they ask for.

    run.py PATH/TO/kafka_live_tests [gtest arguments]
"""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.kafka_broker import KafkaBroker  # noqa: E402


def obey(kafka, request):
    verb, *arguments = request.split()
    if verb == "restart":
        kafka.kill()
        kafka.start()
    elif verb == "kill":
        kafka.kill()
    elif verb == "start":
        kafka.start()
    elif verb == "partitions":
        kafka.topics_tool("--alter", "--topic", arguments[0], "--partitions", arguments[1])
    elif verb == "delete":
        kafka.topics_tool("--delete", "--topic", arguments[0])
    else:
        raise ValueError(request)


def main():
    program, *arguments = sys.argv[1:]
    # The broker would make topics if it were asked to: nobody may ask.
    with KafkaBroker({"auto.create.topics.enable": "true"}) as kafka:
        tests = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                 env={**os.environ, "PGCOURIER_TEST_KAFKA": kafka.bootstrap})
        for line in tests.stdout:
            print(line, end="", flush=True)
            if line.startswith("@"):
                obey(kafka, line[1:])
                tests.stdin.write("done\n")
                tests.stdin.flush()
        return tests.wait()


if __name__ == "__main__":
    sys.exit(main())
