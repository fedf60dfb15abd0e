"""What leased budgets stand at, for who only looks."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.leasing import NANO, Standing
from llmproxy.limits.standings import standings


class Account:
    def __init__(self, key: str) -> None:
        self.rule = self
        self.key = key
        self.begin = 0.0


class Leases:
    """@ivar known: by key."""

    def __init__(self, **known: Standing) -> None:
        self.known = known

    def standing(self, wanted: Any) -> Deferred[list[Standing | None]]:
        return succeed([self.known.get(key) for key, _ in wanted])


class StandingsTests(SynchronousTestCase):
    def test_missing(self) -> None:
        """Those that nobody has met are asked for at once, and only those; what a nano is of is rounded up."""
        asked: list[list[str]] = []

        def spent_of(rules: Any) -> Deferred[list[int]]:
            asked.append([rule.key for rule in rules])
            return succeed([5 * NANO + 1, 0])

        leases: Any = Leases(b=Standing(7, 1))
        accounts: Any = [Account("a"), Account("b"), Account("c")]
        found = self.successResultOf(Deferred.fromCoroutine(standings(leases, accounts, spent_of)))
        self.assertEqual(found, [Standing(6, 0), Standing(7, 1), Standing(0, 0)])
        self.assertEqual(asked, [["a", "c"]])

    def test_all_known(self) -> None:
        """No ledger is asked where all are known."""
        found = standings(Leases(a=Standing(1, 0)), [Account("a")], lambda rules: self.fail("asked"))  # type: ignore[arg-type]
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(found)), [Standing(1, 0)])
