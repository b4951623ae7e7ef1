"""The kafka sink over TLS and SASL, against a real broker: each way in delivers, each wrong credential is told.
`kafka_security.py [words]` runs the cases named by the words."""
import contextlib
import tempfile
from pathlib import Path

from harness import certificates
from harness.checker import read_topics
from harness.kafka_broker import KafkaBroker
from harness.program import cases_of, run_cases
from harness.shared import courier, insert, refused
from harness.waiting import require

PASSWORD = "pencil"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required user_courier=\"%s\";" % PASSWORD
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"

_kept = contextlib.ExitStack()


class Secured:
    """One broker with a port for SASL_PLAINTEXT, one for SASL_SSL, one for TLS with client certificates."""

    def __init__(self):
        self.certificates = certificates.make(
            Path(_kept.enter_context(tempfile.TemporaryDirectory(prefix="pgcourier-kafka-tls-"))) / "tls")
        keystore = self.certificates / "server.pem"
        keystore.write_bytes((self.certificates / "server.key").read_bytes() + (self.certificates / "server.crt").read_bytes())
        tls = {"ssl.keystore.type": "PEM", "ssl.keystore.location": keystore,
               "ssl.truststore.type": "PEM", "ssl.truststore.location": self.certificates / "root.crt"}
        sasl = {"sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512", "plain.sasl.jaas.config": PLAIN,
                "scram-sha-256.sasl.jaas.config": SCRAM, "scram-sha-512.sasl.jaas.config": SCRAM}
        self.broker = _kept.enter_context(KafkaBroker(listeners={
            "SASL_PLAINTEXT": sasl, "SASL_SSL": {**sasl, **tls}, "SSL": {**tls, "ssl.client.auth": "required"}}))
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            self.broker.configs_tool("--alter", "--entity-type", "users", "--entity-name", "courier", "--add-config",
                                     f"{mechanism}=[password={PASSWORD}]")

    def tls(self, root="root.crt"):
        return {"ssl.ca.location": str(self.certificates / root)}

    def client_certificate(self):
        return {"ssl.certificate.location": str(self.certificates / "client.crt"),
                "ssl.key.location": str(self.certificates / "client.key")}


_secured = []


def secured():
    if not _secured:
        _secured.append(Secured())
    return _secured[0]


def sasl(mechanism, password=PASSWORD):
    return {"sasl.mechanism": mechanism, "sasl.username": "courier", "sasl.password": password}


def pipeline_to(protocol, properties):
    return courier(({"kafka": {"brokers": secured().broker.addresses[protocol],
                               "properties": {"security.protocol": protocol, **properties}}},))


def delivers(protocol, properties):
    with pipeline_to(protocol, properties) as pipeline:
        pipeline.start("slot", "create", "-c", pipeline.file).wait_exit(0)
        insert(100)
        pipeline.run("--until-lsn", "now", "--no-retry").wait_exit(0, timeout=60)
        records, _ = read_topics(secured().broker.bootstrap, pipeline.name)
        require(len(records) == 100, f"{len(records)} records of 100")
        pipeline.start("check", "-c", pipeline.file).wait_exit(0)


def is_told(protocol, properties, *words):
    """Nothing is delivered, the reason is named, no password stands in the log."""
    with pipeline_to(protocol, properties) as pipeline:
        process = refused(pipeline, 69, *words, arguments=("--no-retry",), timeout=60)
        require(not process.says("wrong password"), lambda: f"the password is in the log:\n{process.log()}")


def case_sasl_plain_without_tls():
    delivers("SASL_PLAINTEXT", sasl("PLAIN"))


def case_scram_sha_256_over_tls():
    delivers("SASL_SSL", {**sasl("SCRAM-SHA-256"), **secured().tls()})


def case_scram_sha_512_over_tls():
    delivers("SASL_SSL", {**sasl("SCRAM-SHA-512"), **secured().tls()})


def case_client_certificate():
    delivers("SSL", {**secured().tls(), **secured().client_certificate()})


def case_wrong_password_is_told():
    is_told("SASL_SSL", {**sasl("SCRAM-SHA-256", "wrong password"), **secured().tls()}, "log-in")


def case_unknown_authority_is_told():
    is_told("SASL_SSL", {**sasl("PLAIN"), **secured().tls("other_root.crt")}, "TLS", "certificate")


def case_missing_client_certificate_is_told():
    is_told("SSL", secured().tls(), "TLS")


if __name__ == "__main__":
    with _kept:
        run_cases(cases_of(globals()), __doc__)
