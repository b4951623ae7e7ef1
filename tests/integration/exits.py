"""The exit codes of the contract but 66 (exits_66.py), each provoked by name. `exits.py [words]` runs the cases named
by the words."""
import json
import os
import socket
import threading

from harness.courier import Courier
from harness.postgres import PASSWORD, Postgres
from harness.ports import free_port
from harness.program import cases_of, run_cases
from harness.shared import PLAIN, broker, courier, insert, refused, server
from harness.waiting import lsn, require, wait_for


# -- 78: settings ----------------------------------------------------------------------------------------------------
def bad_text(text, *words, code=78):
    with courier() as pipeline:
        path = pipeline.folder / "bad.yaml"
        path.write_text(text)
        process = pipeline.start("run", "-c", path)
        process.wait_exit(code)
        for word in words:
            require(process.says(word), lambda: f"nothing about {word!r}:\n{process.log()}")


def case_78_unknown_key():
    bad_text("name: x\nsource:\n  url: postgresql://h/d\n  publcation: p\nsinks:\n  - stdout: {}\n",
             "source.publcation", "publication", "4")


def case_78_duplicate_key():
    bad_text("name: x\nname: y\nsource: {url: 'postgresql://h/d', publication: p, slot: s}\nsinks:\n  - stdout: {}\n",
             "name", "2")


def case_78_wrong_type():
    bad_text("name: x\nsource: {url: 'postgresql://h/d', publication: p, slot: s, messages: many}\n"
             "sinks:\n  - stdout: {}\n", "messages", "many")


def case_78_missing_file():
    with courier() as pipeline:
        pipeline.start("run", "-c", "/nonexistent.yaml").wait_exit(78)


def case_78_two_files_sinks_with_one_directory():
    with courier(sinks=("files", "files")) as pipeline:
        pipeline.set("sinks.1.files.id", "other")
        pipeline.run().wait_exit(78)


def case_78_capabilities_that_are_not_there():
    """Each is refused and named, not ignored."""
    with courier() as pipeline:
        refused_settings = 0
        for path, value, word in (
                ("source.binary", True, "binary"),
                ("snapshot.mode", "always", "snapshot"), ("format", "debezium", "debezium")):
            before = json.loads(json.dumps(pipeline.settings))
            pipeline.set(path, value)
            process = pipeline.run("--until-lsn", "now")
            process.wait_exit(78)
            require(process.says(word), lambda word=word, process=process: f"nothing about {word}:\n{process.log()}")
            pipeline.settings = before
            refused_settings += 1
        require(refused_settings == 3, "not all were tried")


def case_78_kafka_properties_that_break_delivery():
    with courier(sinks=("kafka",)) as pipeline:
        for name, value in (("acks", "1"), ("enable.idempotence", "false"), ("message.timeout.ms", "1000"),
                            ("transactional.id", "x"), ("partitioner", "random"),
                            ("queue.buffering.max.messages", "10"), ("delivery.report.only.error", "true")):
            pipeline.settings["sinks"][0]["kafka"]["properties"] = {name: value}
            process = pipeline.run("--until-lsn", "now")
            process.wait_exit(78)
            require(process.says(name), lambda name=name, process=process: f"nothing about {name}:\n{process.log()}")


def case_config_check_refuses_what_run_refuses():
    """With 78 and the same words, and without connecting anywhere."""
    with courier(sinks=("null",)) as pipeline:
        url = "postgresql://cdc@127.0.0.1/d"
        kafka = [{"kafka": {"brokers": "127.0.0.1:1", "properties": {}}}]
        for path, value, word in (
                ("source.tables", ["re:("], "source.tables"), ("source.url", url + "?sslmode=foo", "sslmode"),
                ("source.url", "host=127.0.0.1 user=cdc port=abc", "abc"),
                ("source.url", "postgresql://cdc@127.0.0.1:99999/d", "99999"),
                ("sinks.0.kafka.properties", {"nonsense.prop": 1}, "nonsense.prop"),
                ("sinks.0.kafka.properties", {"linger.ms": "abc"}, "linger.ms")):
            before = json.loads(json.dumps(pipeline.settings))
            if path.startswith("sinks"):
                pipeline.settings["sinks"] = json.loads(json.dumps(kafka))
            pipeline.set(path, value)
            process = pipeline.start("config", "check", "-c", pipeline.file)
            process.wait_exit(78)
            require(process.says(word), lambda word=word, process=process: f"nothing about {word}:\n{process.log()}")
            reason = process.lines[-1]["msg"].removeprefix("pgcourier: ")
            refused(pipeline, 78, json.dumps(reason, ensure_ascii=False)[1:-1])
            pipeline.settings = before
        pipeline.set("source.password_file", "/nowhere/password")
        pipeline.start("config", "check", "-c", pipeline.file).wait_exit(0)


def case_78_missing_slot():
    with courier(source__create_slot=False) as pipeline:
        refused(pipeline, 78, pipeline.settings["source"]["slot"])


def case_78_missing_publication():
    with courier(source__publication="nowhere") as pipeline:
        refused(pipeline, 78, "nowhere")
        require(server().slot(pipeline.settings["source"]["slot"]) is None, "an orphan slot was left")


def case_78_wal_level():
    with Postgres(wal_level="replica") as plain:
        plain.sql(PLAIN)
        with Courier(plain) as pipeline:
            refused(pipeline, 78, "wal_level", "logical")


def case_78_port_in_use():
    with socket.socket() as taken, courier(http=True) as pipeline:
        taken.bind(("127.0.0.1", pipeline.port))
        taken.listen()
        refused(pipeline, 78, str(pipeline.port))


def case_78_directory_locked_by_another_slot():
    """Rule 7: two pipelines of one name and different slots must not share a folder."""
    with courier() as pipeline:
        first = pipeline.run_streaming()
        server().sql("SELECT pg_create_logical_replication_slot('yet_another', 'pgoutput')")
        pipeline.set("source.slot", "yet_another")
        pipeline.set("state_dir", str(pipeline.folder / "state2"))
        (pipeline.folder / "state2").mkdir()
        refused(pipeline, 78)
        require(first.running(), "the first one ended")
        first.terminate()  # the pipeline takes yet_another with it


# -- 77: not permitted -----------------------------------------------------------------------------------------------
def case_77_no_replication_privilege():
    server().sql(f"DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN PASSWORD '{PASSWORD}'; GRANT pg_read_all_data TO plain")
    with courier() as pipeline:
        pipeline.set("source.url", server().url(user="plain"))
        refused(pipeline, 77, "REPLICATION")


def case_77_wrong_password():
    with courier() as pipeline:
        pipeline.set("source.url", server().url().replace(PASSWORD, "wrong"))
        refused(pipeline, 77, "password")


def case_77_unwritable_folder():
    require(os.geteuid() == 0, "needs root, to run pgcourier as somebody else")
    with courier() as pipeline:
        for folder in (pipeline.folder, pipeline.folder / "state"):
            folder.chmod(0o777)
        pipeline.files.chmod(0o555)
        process = pipeline.run("--until-lsn", "now", prefix=("runuser", "-u", "nobody", "--"))
        process.wait_exit(77)
        require(process.says(str(pipeline.files)), lambda: f"nothing about the folder:\n{process.log()}")
        require(server().slot(pipeline.settings["source"]["slot"]) is None, "an orphan slot was left")


# -- 69, 75, 76, 64, 65 ----------------------------------------------------------------------------------------------
def case_69_unreachable_source():
    with courier() as pipeline:
        pipeline.set("source.url", server().url(port=free_port()))
        refused(pipeline, 69, arguments=("--no-retry",))


def case_69_unreachable_broker():
    with courier(sinks=("null",)) as pipeline:
        pipeline.settings["sinks"] = [{"kafka": {"brokers": f"127.0.0.1:{free_port()}"}}]
        refused(pipeline, 69, arguments=("--no-retry",), timeout=60)
        require(server().slot(pipeline.settings["source"]["slot"]) is None, "an orphan slot was left")


def case_unreachable_source_is_retried():
    with courier(http=True) as pipeline:
        pipeline.set("source.url", server().url(port=free_port()))
        process = pipeline.run()
        wait_for(lambda: pipeline.get("/livez")[0] == 200, "/livez")
        wait_for(lambda: pipeline.get("/readyz")[0] == 503, "/readyz to say 503")
        process.wait_says("refused")
        require(process.running(), "it ended")
        process.terminate()


def case_75_slot_in_use():
    with courier() as pipeline, courier(source__slot=pipeline.settings["source"]["slot"]) as second:
        first = pipeline.run_streaming()
        refused(second, 75, pipeline.settings["source"]["slot"], arguments=("--no-wait",))
        first.terminate()


class Nonsense:
    """A server that answers every connection with the same bytes, and then with silence."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                client.recv(4096)
                client.sendall(self.answer)
                try:
                    client.settimeout(20)
                    while client.recv(4096):
                        pass
                except OSError:
                    pass


def case_76_a_server_that_speaks_nonsense():
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 64, b"R\xff\xff\xff\xff0000", b"R\x00\x00\x00\x03",
                   b"R\x00\x00\x00\x08\x00\x00\x00\x00?\x00\x00\x00\x04"):
        with courier() as pipeline:
            nonsense = Nonsense(answer)
            pipeline.set("source.url", server().url(port=nonsense.port) + "?sslmode=disable&gssencmode=disable")
            refused(pipeline, 76)
            nonsense.listener.close()


def case_69_a_server_that_falls_silent_before_it_streams():
    with courier(source__silence_timeout="2s") as pipeline:
        welcome = b"R\x00\x00\x00\x08\x00\x00\x00\x00" + b"Z\x00\x00\x00\x05I"
        silent = Nonsense(welcome)
        pipeline.set("source.url", server().url(port=silent.port) +
                     "?sslmode=disable&gssencmode=disable&target_session_attrs=any")
        refused(pipeline, 69, "no whole answer within 2000 ms", arguments=("--no-retry",))
        silent.listener.close()


def case_64_usage():
    with courier() as pipeline:
        for arguments in (("run",), ("fly",), ("run", "-c", str(pipeline.file), "--until-lsn", "soon"), ("run", "--what")):
            pipeline.start(*arguments).wait_exit(64)
        for arguments, words in ((("chek", "-c", "x"), ("chek", "run", "check", "status")),
                                 (("tail", "postgresql://h/d"), ("tail", "run")),
                                 (("slot", "lst"), ("slot", "lst", "list", "create", "drop")),
                                 (("status", "--url", "nonsense"), ("--url", "nonsense"))):
            process = pipeline.start(*arguments)
            process.wait_exit(64)
            said = process.log()
            require(all(word in said for word in words), f"not all of {words}:\n{said}")


def case_65_record_too_large():
    """undeliverable: stop. Nothing behind the record is confirmed or lost."""
    with courier(sinks=("kafka",)) as pipeline:
        pipeline.start("slot", "create", "-c", pipeline.file).wait_exit(0)
        insert(2)
        before = server().value("SELECT pg_current_wal_insert_lsn()::text")
        insert(1, note="x" * 3_000_000)
        insert(2)
        process = refused(pipeline, 65, "large", timeout=60)
        slot = server().slot(pipeline.settings["source"]["slot"])
        require(lsn(slot["confirmed_flush_lsn"]) <= lsn(before) + 0x1000, f"confirmed past the record: {slot}")
        require(process.says("max.message.bytes"), lambda: f"no figures:\n{process.log()}")
        topic = f"{pipeline.name}.public.orders"
        broker().configs_tool("--alter", "--topic", topic, "--add-config", "max.message.bytes=5000000")
        pipeline.drain()


def case_check_exits_as_run_would():
    with courier() as pipeline:
        pipeline.start("check", "-c", pipeline.file).wait_exit(0)
        pipeline.set("source.publication", "nowhere")
        pipeline.start("check", "-c", pipeline.file).wait_exit(78)
        pipeline.set("source.publication", "shop")
        server().sql(f"DROP ROLE IF EXISTS plain2; CREATE ROLE plain2 LOGIN PASSWORD '{PASSWORD}'; "
                     f"GRANT pg_read_all_data TO plain2")
        pipeline.set("source.url", server().url(user="plain2"))
        pipeline.start("check", "-c", pipeline.file).wait_exit(77)
        pipeline.set("source.url", server().url(port=free_port()))
        pipeline.start("check", "-c", pipeline.file).wait_exit(69)


def case_check_as_json_with_remedies():
    with courier() as pipeline:
        pipeline.set("source.publication", "nowhere")
        out = pipeline.folder / "check.json"
        with open(out, "wb") as file:
            pipeline.start("check", "-c", pipeline.file, "--json", stdout=file).wait_exit(78)
        found = json.loads(out.read_text())
        require("nowhere" in json.dumps(found) and "remedy" in json.dumps(found), f"no remedy: {found}")


if __name__ == "__main__":
    run_cases(cases_of(globals()), __doc__)
