"""Limits in the memory of one process, for requests that fit in all of them: see L{CounterSet}."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..core.limits.counterset import CounterSet

if TYPE_CHECKING:
    from ..core.limits.counters import Counters
    from ..core.limits.counterset import Counted
    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Crossed
    from .leased import LeasedBudgets
    from .restored import RestoredLimits


class AtOnce:
    """
    @param counters: those of C{restored}.
    @param seconds: since the epoch.
    @param crossed: called when a share of a budget has been used.
    @param budgets: count money, where that is leased.
    @ivar seconds: likewise.
    @ivar crossed: likewise.
    """

    __slots__ = ("_budgets", "_counters", "_restored", "crossed", "seconds")

    def __init__(
        self,
        restored: RestoredLimits,
        counters: Counters,
        seconds: Callable[[], float],
        crossed: Callable[[Crossed], object],
        budgets: LeasedBudgets | None = None,
    ) -> None:
        self._budgets = budgets
        self._restored = restored
        self._counters = counters
        self.seconds = seconds
        self.crossed = crossed

    def counted(self, rules: Sequence[Rule]) -> Counted | None:
        """What counts requests that these hold for; C{None} where what was used of one before is still asked for."""
        budgets = self._budgets
        money = [] if budgets is None else [rule for rule in rules if rule.kind == "money"]
        rest = [rule for rule in rules if rule.kind != "money"] if money else rules
        if not self._restored.are_known(rest):
            return None
        counters = CounterSet(self._counters, rest, self.seconds()) if rest else None
        if budgets is None or not money:
            return counters
        from .leaseset import LeaseSet

        accounts = [(rule, account) for rule in money if (account := budgets.account_of(rule)) is not None]
        return LeaseSet(budgets, accounts, counters) if len(accounts) == len(money) else None
