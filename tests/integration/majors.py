"""The workload end to end on each of PostgreSQL 14, 16, 17 and 18, with a restart in the middle. `majors.py [14 …]`."""
import sys

from harness.program import run_cases
from harness.scenario import Scenario
from harness.workload import Workload


def end_to_end(major):
    with Scenario(major=major) as scene:
        process = scene.courier.run_streaming()
        with Workload(scene.server, major, writers=3, rate=60) as load:
            load.wait_commits(250, timeout=60)
            process.kill()
            load.wait_commits(50)
            process = scene.courier.run_streaming()
            load.wait_commits(100, timeout=60)
            process.terminate()
            load.stop()
        scene.courier.drain()
        # The server's own wording: empty transactions (14), messages, truncates and types are all in the workload.
        scene.verify()


def on(major):
    def case():
        end_to_end(major)
    case.__name__ = f"case_on_{major}"
    return case


if __name__ == "__main__":
    sys.exit(run_cases([on(major) for major in (14, 16, 17, 18)], __doc__))
