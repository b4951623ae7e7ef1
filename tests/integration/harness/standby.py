"""A standby of one of the servers."""
from .postgres import Postgres
from .waiting import require, wait_for


class ColdStandby(Postgres):
    """A standby made from the data folder of the stopped primary (npm's majors have no pg_basebackup)."""

    def __init__(self, primary, **settings):
        super().__init__(primary.major, primary_conninfo=f"host=127.0.0.1 port={primary.port} user=postgres dbname=postgres",
                         hot_standby_feedback="on", primary_slot_name="standby", **settings)
        self.restored_from(primary.data)
        (self.data / "standby.signal").touch()

    def __enter__(self):
        return self.start()


def synchronised(standby):
    return standby.value("SELECT synced AND NOT temporary FROM pg_replication_slots WHERE slot_name = 'shop'")


def fail_over(primary, standby, pipeline):
    """The primary dies with all it has written on the standby, which is promoted; returns when the pipeline reads from it."""
    position = primary.value("SELECT pg_current_wal_insert_lsn()::text")
    wait_for(lambda: standby.value("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", position), "the standby")
    primary.kill()
    standby.promote()
    pipeline.server = standby
    standby.wait_active(timeout=60)


def wait_streaming_from(standby, primary, process):
    """A slot on a standby is made only once the primary has written a snapshot of what runs."""
    def streaming():
        primary.sql("SELECT pg_log_standby_snapshot()")
        require(process.running(), lambda: f"it ended:\n{process.log()}")
        return (standby.slot() or {}).get("active_pid")
    wait_for(streaming, lambda: f"the slot on the standby:\n{process.log()}", 40, every=0.5)
    return standby.slot()["active_pid"]
