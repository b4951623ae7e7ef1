"""One pgcourier goes on through restarts of PostgreSQL and of the broker and through cut connections, under load; then
files and Kafka are compared with the truth. `restarts.py [words]` runs the cases named by the words."""
import os

from harness.program import cases_of, run_cases
from harness.progress import confirms_again
from harness.proxy import Proxy
from harness.scenario import Scenario
from harness.waiting import require
from harness.workload import Workload

TIMES = int(os.environ.get("PGCOURIER_TIMES", "10"))
SEED = int(os.environ.get("PGCOURIER_SEED", "7"))


def under_load(sinks, disturb, times=TIMES, fsync=True, url=None, rate=25, **settings):
    with Scenario(sinks=sinks, fsync=fsync, url=url, **settings) as scene:
        process = scene.courier.run_streaming()
        with Workload(scene.server, SEED, writers=3, rate=rate, large=False) as load:
            confirms_again(scene.server, process, load)
            for number in range(times):
                disturb(scene, number)
                confirms_again(scene.server, process, load)
            load.stop()
        process.terminate()
        scene.courier.drain()
        print(f"      {times} times", flush=True)
        scene.verify(events=300)


def case_postgres_fast():
    under_load(("files", "kafka"), lambda scene, _: scene.server.restart("fast"))


def case_postgres_immediate():
    under_load(("files", "kafka"), lambda scene, _: scene.server.restart("immediate"))


def case_postgres_kill():
    under_load(("files", "kafka"), lambda scene, _: scene.server.restart("kill"))


def case_broker():
    """Orderly and kill -9 in turn."""
    def restart(scene, number):
        scene.broker.stop() if number % 2 else scene.broker.kill()
        scene.broker.start()
    under_load(("files", "kafka"), restart, fsync=False, rate=8)


def through_proxy(disturb, times=TIMES, rate=20, **settings):
    with Scenario(sinks=("files", "kafka"), **settings) as scene, Proxy(scene.server.port) as proxy:
        scene.courier.set("source.url", scene.server.url(port=proxy.port))
        process = scene.courier.run_streaming()
        with Workload(scene.server, SEED, writers=3, rate=rate) as load:
            confirms_again(scene.server, process, load)
            for number in range(times):
                require(disturb(proxy, number) > 0, "no connection went through the proxy")
                confirms_again(scene.server, process, load)
            load.stop()
        process.terminate()
        scene.courier.drain()
        print(f"      {times} times, {proxy.accepted} connections", flush=True)
        scene.verify(events=300)


def case_connection_cut():
    """With RST and with FIN in turn."""
    through_proxy(lambda proxy, number: proxy.cut(reset=number % 2 == 0))


def case_connection_half_open():
    """The peer is silent for ever: noticed after source.silence_timeout."""
    through_proxy(lambda proxy, _: proxy.freeze(), times=3, rate=8, source__silence_timeout="2s",
                  server_settings={"wal_sender_timeout": "4s"})


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
