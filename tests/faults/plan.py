"""What a run does: a function of its seed and of the faults asked for, so that the seed repeats it."""
import random

from fault import FAULTS

DELIVERIES = ("at_least_once", "exactly_once")
SMALL_WORK_MEM = "64kB"  # the least the server allows: all but small transactions are streamed, or spilled by the server


class Plan:
    def __init__(self, seed, only=(), count=0):
        """count: of faults; 0: each of them once. Fewer: an even seed and the next one have different ones."""
        rng = random.Random(seed)
        self.seed = seed
        self.command = f"./dev faults --runs 1 --seed {seed}" + (f" --only {','.join(only)}" if only else "") + (
            f" --faults {count}" if count else "")
        self.delivery = DELIVERIES[seed % 2]
        kafka_only = seed // 2 % 5 == 4
        self.streaming = rng.random() < 0.5
        self.small_work_mem = rng.random() < 0.7
        self.large_rows = rng.random() < 0.3
        self.in_flight = rng.choice(("1MiB", "16MiB"))
        self.compression = rng.choice(("none", "gzip", "zstd"))
        names = [name for name in FAULTS if not only or name in only]
        if kafka_only:
            names = [name for name in names if not FAULTS[name].needs_files] or names
        self.names = names
        self.has_files = not kafka_only or any(FAULTS[name].needs_files for name in names)
        count = count or len(names)
        few = count < len(names)
        self.faults, order, first = [], random.Random(seed // 2 if few else seed), seed % 2 * count if few else 0
        while len(self.faults) < first + count:
            self.faults += order.sample(names, len(names))
        self.faults = self.faults[first:first + count]
        self.rng = rng

    @property
    def sinks(self):
        return ("files", "kafka") if self.has_files else ("kafka",)

    @property
    def guarantees(self):
        """The columns of the matrix that this run fills."""
        return [*(["files exactly once"] if self.has_files else []), f"Kafka {self.delivery.replace('_', ' ')}"]

    def __str__(self):
        files = f"files with compression {self.compression}; " if self.has_files else ""
        return (f"{' and '.join(self.guarantees)}; {files}streaming {'on' if self.streaming else 'off'}, "
                f"work_mem {SMALL_WORK_MEM if self.small_work_mem else '64MB'}, in flight {self.in_flight}"
                f"{', rows of 1 MB' if self.large_rows else ''}")


GUARANTEES = ("files exactly once", "Kafka at least once", "Kafka exactly once")

