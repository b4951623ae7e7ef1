"""One mutant: a patch that takes a rule away, and the test that its header names. tests/mutants/README.md."""
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent
RULES = range(1, 23)  # of delivery
KINDS = {"unit": "PROGRAM SUITE.TEST", "broker": "PROGRAM SUITE.TEST", "integration": "PROGRAM.py CASE",
         "power_cuts": "PROGRAM.py [ARGUMENT…]"}


class Rotted(Exception):
    """The patch or its header is not what it was: it shows nothing any more."""


@dataclass(frozen=True)
class Test:
    kind: str
    program: str
    arguments: tuple
    environment: tuple = ()  # of (name, value)

    def __str__(self):
        return " ".join((self.kind, self.program, *self.arguments, *(f"{name}={value}" for name, value in self.environment)))

    def require_existence(self):
        """In the sources, so that it needs no build."""
        if self.kind in ("unit", "broker"):
            suite, _, name = self.arguments[0].partition(".")
            found = any(re.search(rf"^\w+\({suite},\s*{name}\)", path.read_text(), re.MULTILINE)
                        for path in (ROOT / "tests").rglob("*_test.cpp"))
        elif self.kind == "integration":
            path = ROOT / "tests" / "integration" / self.program
            cases = re.findall(r"^def (case_\w+)", path.read_text(), re.MULTILINE) if path.exists() else []
            found = [name for name in cases if self.arguments[0] in name] == [self.arguments[0]]
        else:
            found = (ROOT / "tests" / "sinks" / self.program).exists()
        if not found:
            raise Rotted(f"there is no test {self}")


@dataclass(frozen=True)
class Mutant:
    path: Path
    rule: str
    test: Test

    @property
    def name(self):
        return self.path.stem

    @property
    def number(self):
        return int(self.name.split("-")[0])

    def answers_to(self, word):
        return self.name.startswith(word) or word == self.test.program

    def git_apply(self, tree, *options):
        # As if the tree were in no repository: inside one git would leave out what is below another folder.
        done = subprocess.run(["git", "apply", "--whitespace=nowarn", *options, str(self.path)], cwd=tree,
                              env={"GIT_CEILING_DIRECTORIES": str(tree.parent), "PATH": "/usr/bin:/bin"},
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Rotted(f"it does not apply:\n{done.stderr.rstrip()}")


def read_mutant(path):
    header = path.read_text().partition("\ndiff --git ")[0]
    fields = dict(re.findall(r"^(Rule|Test|Environment): (.+)$", header, re.MULTILINE))
    if "Rule" not in fields or "Test" not in fields:
        raise Rotted("its header has no Rule: or no Test:")
    kind, _, rest = fields["Test"].partition(" ")
    program, *arguments = rest.split() or [""]
    wanted = KINDS.get(kind)
    if wanted is None or (not arguments and "[" not in wanted):
        raise Rotted(f"its test is none of {KINDS}: {fields['Test']}")
    environment = tuple(tuple(each.split("=", 1)) for each in fields.get("Environment", "").split())
    return Mutant(path, fields["Rule"], Test(kind, program, tuple(arguments), environment))


def read_all():
    """({name: Mutant}, [(name, why it is rotten)])"""
    mutants, rotten = {}, []
    for path in sorted(FOLDER.glob("*.patch")):
        try:
            mutants[path.stem] = read_mutant(path)
        except Rotted as reason:
            rotten.append((path.stem, str(reason)))
    return mutants, rotten
