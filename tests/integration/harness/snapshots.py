"""What a consumer of exactly once sees in between."""
from .checker import records_by_xid
from .waiting import require


class Snapshots:
    """Taken while nobody writes; at the end each transaction must be as it was then."""

    def __init__(self, brokers):
        self.brokers, self.taken = brokers, []

    def take(self):
        self.taken.append(records_by_xid(self.brokers))

    def check(self):
        final = records_by_xid(self.brokers)
        for snapshot in self.taken:
            torn = {xid: (count, final[xid]) for xid, count in snapshot.items() if count != final[xid]}
            require(not torn, f"a consumer saw parts of transactions (xid: then, in the end): {torn}")
        print(f"      {len(self.taken)} looks in between at {[len(each) for each in self.taken]} transactions", flush=True)
