"""The arithmetic of leases."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.quotas import Account, Settlement, lease_size

from ..properties import examples


class LeaseSizeTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Leases shrink to one as the quota nears its end, and never exceed what is left."""
        table = (
            # remaining, wanted, size
            (1_000_000, 1, 128),
            (1000, 1, 31),
            (64, 1, 2),
            (63, 1, 1),
            (1, 1, 1),
            (0, 1, 0),
            (-5, 1, 0),
            (100, 20, 20),
            (10, 20, 10),
            (1_000_000, 5000, 128),
        )
        for remaining, wanted, size in table:
            self.assertEqual(lease_size(remaining, wanted), size, (remaining, wanted))


class Ledger:
    """The two numbers of the database, and the rule for raising them."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self.leased = 0

    def write(self, settlement: Settlement) -> None:
        self.count += settlement.used
        self.leased -= settlement.released

    def lease(self) -> int:
        size = lease_size(self.limit - self.count - self.leased, 1)
        self.leased += size
        return size


class AccountTests(SynchronousTestCase):
    @settings(max_examples=examples(50), deadline=None)
    @given(
        st.integers(1, 40),
        st.lists(st.tuples(st.integers(0, 2), st.sampled_from("SSSSBWDFUC")), max_size=120),
    )
    def test_exact(self, limit: int, steps: list[tuple[int, str]]) -> None:
        """
        Three workers that spend, give back, write, fail to write, hand back and crash never exceed the quota,
        and without a crash they reach it.
        """
        ledger = Ledger(limit)
        accounts = [Account("t") for _ in range(3)]
        spent = lost = 0

        def spend(account: Account) -> int:
            if not account.available:
                account.available += ledger.lease()
            return account.spend(0.0)

        for index, step in steps:
            account = accounts[index]
            if step == "S":
                spent += spend(account)
            elif step == "B" and spent:
                account.unspend()
                spent -= 1
            elif step == "W":
                ledger.write(account.settle())
            elif step == "D":
                account.drop_lease()
            elif step == "F":
                account.restore(account.settle())
            elif step == "U":
                # It was written, and the worker, who was told that nobody knows, forgets the lease that came with it.
                ledger.write(account.settle())
                ledger.lease()
                lost += 1
            elif step == "C":
                accounts[index] = Account("t")
                lost += 1
            assert spent <= limit
            assert ledger.count + ledger.leased <= limit
        for account in accounts:
            account.drop_lease()
            ledger.write(account.settle())
        while spend(accounts[0]):
            spent += 1
        assert spent <= limit
        if not lost:
            assert spent == limit

    def test_last_use(self) -> None:
        """The date of the last use is that of the use, not of its being written down; handing back is no use."""
        account = Account("t", available=2)
        account.spend(5.0)
        self.assertEqual(account.settle().last_used_at, 5.0)
        account.drop_lease()
        self.assertEqual(account.settle(), Settlement("t", 0, 1, None))
