#!/usr/bin/env python3
"""Lints, renders and validates charts/pgcourier, once with its defaults and once with each file in ci/.

Prints what failed and one line of counts. With PGCOURIER set to the program, also asks it whether it takes the rendered
settings, knows the same ones as values.schema.json, and refuses and masks the same Kafka properties.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "pgcourier"
KUBERNETES_VERSIONS = ["1.29", "1.33"]
# Custom resources, whose schemas Kubernetes does not have; the unit tests compare them.
CUSTOM = ("monitoring.coreos.com/",)
# The ones with a word of is_secret_kafka_property, and some that look like them.
PERHAPS_SECRET = ["sasl.password", "SASL.Password", "sasl.oauthbearer.client.secret", "sasl.jaas.config", "a.token",
                  "ssl.key.pem", "a.credential", "sasl.oauthbearer.config", "ssl.ca.pem", "ssl.certificate.pem",
                  "sasl.username", "sasl.oauthbearer.scope"]

passed = 0
failures = []


def check(what, ok, detail=""):
    global passed
    if ok:
        passed += 1
    else:
        failures.append(what)
        print(f"FAILED {what}\n{detail}".rstrip(), flush=True)
    return ok


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stdout + done.stderr


def tools_folder():
    done = subprocess.run([ROOT / "scripts" / "install_helm"], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return pathlib.Path(done.stdout.strip().splitlines()[-1])


def render(helm, values, *more):
    options = [part for file in values for part in ("-f", file)]
    code, out, both = run(helm, "template", "shop", CHART, "--namespace", "cdc", *options, *more)
    if not check(f"helm template {name_of(values)}", code == 0, both):
        return []
    import yaml

    return [document for document in yaml.safe_load_all(out) if document]


def name_of(values):
    return values[0].name if values else "(default values)"


def validate(values, documents):
    import kubernetes_validate

    for version in KUBERNETES_VERSIONS:
        for document in documents:
            if document["apiVersion"].startswith(CUSTOM):
                continue
            what = f"{name_of(values)}: {document['kind']} as of Kubernetes {version}"
            try:
                kubernetes_validate.validate(document, version, strict=True)
                check(what, True)
            except kubernetes_validate.ValidationError as error:
                check(what, False, f"{error.path}: {error.message}")


def settings_text(documents):
    return next(d["data"]["pgcourier.yaml"] for d in documents if d["kind"] == "ConfigMap")


def checksum(documents):
    pod = next(d for d in documents if d["kind"] == "Deployment")["spec"]["template"]
    return pod["metadata"]["annotations"]["checksum/config"]


def keys(schema, prefix=""):
    """The paths of all settings a JSON schema allows."""
    found = set()
    for alternative in schema.get("anyOf", []):
        found |= keys(alternative, prefix)
    if "items" in schema:
        found |= keys(schema["items"], prefix + "[]")
    for name, below in schema.get("properties", {}).items():
        if below.get("not") == {}:  # a setting of a later version, which is refused
            continue
        found |= {f"{prefix}.{name}"} | keys(below, f"{prefix}.{name}")
    return found


def compare_with_program(program, rendered):
    code, out, both = run(program, "config", "schema")
    if check("pgcourier config schema", code == 0, both):
        ours = keys(json.loads((CHART / "values.schema.json").read_text())["properties"]["config"])
        theirs = keys(json.loads(out)) - {".state_dir"}
        check("values.schema.json and `pgcourier config schema` have the same settings", ours == theirs,
              f"only the chart: {sorted(ours - theirs)}\nonly pgcourier: {sorted(theirs - ours)}")
    for values, documents in rendered:
        text = settings_text(documents)
        if "${file:" in text or "password_file" in text:  # the files are in the pod only
            continue
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text)
            file.flush()
            code, out, both = run(program, "config", "check", "-c", file.name)
            check(f"{name_of(values)}: pgcourier config check", code == 0, both)


def ask_both(helm, program, command, name, value):
    """What the program's config command and helm say of a Kafka property."""
    sinks = [{"kafka": {"brokers": "kafka:9092", "properties": {name: value}}}]
    settings = {"name": "shop", "source": {"url": "host=db", "publication": "p", "slot": "s"}, "sinks": sinks}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(json.dumps(settings))
        file.flush()
        theirs = run(program, "config", command, "-c", file.name)
    return theirs, run(helm, "template", "shop", CHART, "--set-json", "config.sinks=" + json.dumps(sinks))


def compare_kafka_properties(helm, program):
    source = (ROOT / "config" / "kafka_properties.cpp").read_text()
    table = source.partition("refusals = ")[2].partition("});")[0]
    names = re.findall(r'^    \{"([^"]+)",', table, re.MULTILINE)
    check("config/kafka_properties.cpp has a table of refusals", "acks" in names)
    cases = [(name.replace("*", "x"), "1") for name in [*names, "error_cb"]]
    for name in ["max.in.flight", "max.in.flight.requests.per.connection"]:
        cases += [(name, value) for value in ["0", "1", "5", "05", "6", "15", "5x", "", "-1"]]
    for name, value in [*cases, ("linger.ms", "5")]:
        (code, _, both), (chart_code, _, chart_both) = ask_both(helm, program, "check", name, value)
        reason = both.partition("can't be set: ")[2].strip()
        same = code == chart_code == 0 or bool(code and chart_code and reason and reason in chart_both)
        check(f"the chart refuses the Kafka property {name}={value} as pgcourier does", same, both + chart_both)
    import yaml

    entries = yaml.safe_load((CHART / "refused_kafka_properties.yaml").read_text())
    ours = {name for entry in entries if "unless" not in entry for name in entry["names"]}
    check("the chart refuses no other Kafka property", ours == {*names, "*_cb"}, sorted(ours ^ {*names, "*_cb"}))
    for name in PERHAPS_SECRET:
        (code, out, both), (chart_code, _, chart_both) = ask_both(helm, program, "show", name, "hunter2")
        masked = "hunter2" not in out
        same = code == 0 and masked == (chart_code != 0 and f"{name} is a secret" in chart_both)
        check(f"the chart refuses the Kafka property {name} if pgcourier masks it", same, both + chart_both)
        check(f"the chart does not show {name}", not masked or "hunter2" not in chart_both, chart_both)


def unit_tests(unittest):
    code, out, both = run(unittest, CHART)
    line = next((text for text in out.splitlines() if text.startswith("Tests:")), "")
    count = int(line.split(" passed")[0].split()[-1]) if " passed" in line else 0
    check("helm unittest", code == 0 and count > 0, both)
    return count


def main():
    tools = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else tools_folder()
    python = tools / "validate" / "bin" / "python"
    if len(sys.argv) == 1:  # once more, with the packages of the environment
        os.execv(python, [str(python), __file__, str(tools)])
    helm = tools / "helm"

    sets = [[]] + [[file] for file in sorted((CHART / "ci").glob("*-values.yaml"))]
    rendered = []
    for values in sets:
        options = [part for file in values for part in ("-f", file)]
        code, _, both = run(helm, "lint", "--strict", CHART, *options)
        check(f"helm lint --strict {name_of(values)}", code == 0, both)
        documents = render(helm, values)
        if documents:
            validate(values, documents)
            rendered.append((values, documents))
    if rendered:
        changed = render(helm, [], "--set", "config.log.level=debug")
        check("the pod starts anew when the settings change", checksum(changed) != checksum(rendered[0][1]))
    unit_test_count = unit_tests(tools / "helm-unittest")
    program = os.environ.get("PGCOURIER")
    if program:
        compare_with_program(program, rendered)
        compare_kafka_properties(helm, program)

    compared = "" if program else "; settings not compared with the program: PGCOURIER is not set"
    print(f"chart: {passed} checks passed, {len(failures)} failed; {len(sets)} sets of values, "
          f"{unit_test_count} unit tests{compared}")
    return 0 if passed and not failures and len(sets) > 1 and unit_test_count else 1


if __name__ == "__main__":
    sys.exit(main())
