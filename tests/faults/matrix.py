"""What came of all runs: how often each fault happened beside each guarantee, and what was compared."""
import statistics

from fault import FAULTS
from plan import GUARANTEES


class Matrix:
    def __init__(self):
        self.counts = {}  # (fault, guarantee): how often, in runs that were right
        self.seconds = {}  # by fault: until something was confirmed again
        self.events = dict.fromkeys(GUARANTEES, 0)
        self.repeats = dict.fromkeys(GUARANTEES, 0)
        self.runs = dict.fromkeys(GUARANTEES, 0)
        self.right, self.failed = 0, []  # runs
        self.faults, self.nested, self.missed = 0, 0, {}

    def add(self, result):
        for name, _ in result.missed:
            self.missed[name] = self.missed.get(name, 0) + 1
        if result.error:
            self.failed.append(result)
            return
        self.right += 1
        self.faults += len(result.happened)
        self.nested += result.nested
        for name, seconds in result.happened:
            for guarantee in result.guarantees:
                self.counts[name, guarantee] = self.counts.get((name, guarantee), 0) + 1
            if seconds is not None:
                self.seconds.setdefault(name, []).append(seconds)
        for guarantee in result.guarantees:
            counts = result.counts["files" if guarantee.startswith("files") else "kafka"]
            self.runs[guarantee] += 1
            self.events[guarantee] += counts.get("events") or counts["records"]
            self.repeats[guarantee] += counts.get("repeats", 0)

    def count(self, name, guarantee):
        return self.counts.get((name, guarantee), 0)

    def missing(self, wanted, names):
        """Cells with fewer than wanted."""
        return [(name, guarantee) for name in names for guarantee in GUARANTEES if self.count(name, guarantee) < wanted]

    def rows(self, names):
        """Titles, then a row a fault, then what was compared."""
        yield ["fault", *GUARANTEES, "confirms again after, s"]
        for name in names:
            seconds = self.seconds.get(name)
            yield [FAULTS[name].title, *(self.count(name, guarantee) for guarantee in GUARANTEES),
                   f"{statistics.median(seconds):.1f} (up to {max(seconds):.1f})" if seconds else ""]
        for title, of in (("all", lambda guarantee: sum(self.count(name, guarantee) for name in names)),
                          ("runs", self.runs.get), ("events compared", self.events.get),
                          ("repeats seen", self.repeats.get)):
            yield [title, *(f"{of(guarantee):,}" for guarantee in GUARANTEES), ""]

    def text(self, names):
        rows = [[str(cell) for cell in row] for row in self.rows(names)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        return "\n".join("  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])])
                         for row in rows)

    def markdown(self, names, head):
        rows = [[str(cell) for cell in row] for row in self.rows(names)]
        lines = [head, "", "| " + " | ".join(rows[0]) + " |", "|---|" + "---:|" * (len(rows[0]) - 1)]
        return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows[1:]]) + "\n"
