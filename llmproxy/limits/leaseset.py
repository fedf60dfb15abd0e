"""Limits of requests of one kind whose money is leased, for those that fit in what is there: see L{CounterSet}."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.limits.verdicts import Part, Reservation
from .leased import Taken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.limits.counterset import CounterSet
    from ..core.limits.leasing import Account
    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Crossed
    from .leased import LeasedBudgets


class LeaseSet:
    """
    A L{llmproxy.core.limits.counterset.Counted}. Money is taken where L{LeasedBudgets} counts it, what is no money
    where the other counters are.

    @param rest: counts what is no money; C{None} where nothing else is counted.
    @param money: the budgets, each with its account.
    """

    __slots__ = ("_budgets", "_epoch", "_money", "_rest")

    def __init__(self, budgets: LeasedBudgets, money: Sequence[tuple[Rule, Account]], rest: CounterSet | None) -> None:
        self._budgets = budgets
        self._epoch = budgets.epoch
        self._money = tuple(money)
        self._rest = rest

    @property
    def is_current(self) -> bool:
        return self._epoch == self._budgets.epoch and (self._rest is None or self._rest.is_current)

    def take(self, tokens: int, money: int, now: float) -> bool:
        if self._epoch != self._budgets.epoch:
            return False
        for rule, account in self._money:
            if account.rule is not rule:
                # That of another model; of the same budget, unless it was changed.
                if account.rule.limit != rule.limit:
                    return False
                account.rule = rule
            if account.end is not None and now >= account.end:
                return False
            if money > account.available and money and rule.over_budget != "warn":
                return False
        rest = self._rest
        if rest is not None and not rest.take(tokens, 0, now):
            return False
        for _, account in self._money:
            account.take(money, now)
        return True

    def settle(
        self, held: int, reserved: int, at: float, tokens: int, money: int, now: float
    ) -> Sequence[Crossed] | None:
        # Accounts of what runs are not forgotten.
        if self._rest is not None and self._rest.settle(held, 0, at, tokens, 0, now) is None:
            return None
        for _, account in self._money:
            account.settle(reserved, money)
        # It is said when it is written down, by one of all processes.
        return ()

    def reservation(self, parts: Sequence[Part], at: float) -> Reservation:
        """As L{llmproxy.limits.split.SplitLimits} knows it."""
        others = tuple(part for part in parts if part.rule.kind != "money")
        amounts = [part.amount for part in parts if part.rule.kind == "money"]
        taken = Taken((account, amount) for (_, account), amount in zip(self._money, amounts, strict=True))
        return Reservation(tuple(parts), at, "", (taken, Reservation(others, at) if others else None))
