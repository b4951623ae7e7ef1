"""That a pipeline goes on."""
from .waiting import lsn_text, require, wait_for


def confirms_again(server, process, load, slot="shop", timeout=60):
    """Until something that the workload commits from now on is confirmed."""
    load.wait_commits(3)
    position = load.last_lsn
    wait_for(lambda: not process.running() or server.value(
        "SELECT confirmed_flush_lsn > %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s",
        lsn_text(position), slot), lambda: f"delivery to go on: {server.slot(slot)}\n{process.log(15)}", timeout)
    require(process.running(), lambda: f"pgcourier ended: {process.popen.returncode}\n{process.log()}")
