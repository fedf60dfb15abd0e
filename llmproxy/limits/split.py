"""Limits that are counted in two places: money where machines share it, all others here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..core.limits.verdicts import Refusal, Reservation
from ..interfaces import ILimitStore
from .leased import Taken

if TYPE_CHECKING:
    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Left, Part
    from .leased import LeasedBudgets

Outcome = Reservation | Refusal

NOTHING = Taken(())


@frozen(eq=False)
class _Both(Reservation):
    """
    @ivar money: what is held of budgets.
    @ivar rest: what is held of other limits; C{None} where there are none.
    """

    money: Taken = NOTHING
    rest: Reservation | None = None


@implementer(ILimitStore)
class SplitLimits:
    """
    @ivar rest: counts what is no money.
    @ivar budgets: counts money.
    """

    def __init__(self, rest: ILimitStore, budgets: LeasedBudgets) -> None:
        self.rest = rest
        self.budgets = budgets

    def reserve(self, parts: Sequence[Part]) -> Outcome | Deferred[Outcome]:
        money = [part for part in parts if part.rule.kind == "money"]
        if not money:
            return self.rest.reserve(parts)
        taken = self.budgets.reserve(money)
        if isinstance(taken, Deferred):
            return taken.addCallback(self._taken, parts)
        return self._taken(taken, parts)

    def settle(self, held: Reservation, used: Sequence[int | None]) -> None:
        if not isinstance(held, _Both):
            self.rest.settle(held, used)
            return
        pairs = list(zip(held.parts, used, strict=True))
        self.budgets.settle(held.money, [each for part, each in pairs if part.rule.kind == "money"])
        if held.rest is not None:
            self.rest.settle(held.rest, [each for part, each in pairs if part.rule.kind != "money"])

    def give_back(self, held: Reservation) -> None:
        if not isinstance(held, _Both):
            self.rest.give_back(held)
            return
        self.budgets.settle(held.money, [0] * len(held.money.parts))
        if held.rest is not None:
            self.rest.give_back(held.rest)

    def left(self, rules: Sequence[Rule]) -> Deferred[list[Left]]:
        return Deferred.fromCoroutine(self._left(rules))

    async def _left(self, rules: Sequence[Rule]) -> list[Left]:
        money = [rule for rule in rules if rule.kind == "money"]
        others = [rule for rule in rules if rule.kind != "money"]
        found = iter(await self.budgets.left(money) if money else ())
        rest = iter(await self.rest.left(others) if others else ())
        return [next(found if rule.kind == "money" else rest) for rule in rules]

    def _taken(self, taken: Taken | Refusal, parts: Sequence[Part]) -> Outcome | Deferred[Outcome]:
        if isinstance(taken, Refusal):
            return taken
        others = [part for part in parts if part.rule.kind != "money"]
        if not others:
            return self._both(None, taken, parts)
        rest = self.rest.reserve(others)
        if isinstance(rest, Deferred):
            return rest.addCallback(self._both, taken, parts)
        return self._both(rest, taken, parts)

    def _both(self, rest: Outcome | None, taken: Taken, parts: Sequence[Part]) -> Outcome:
        if isinstance(rest, Refusal):
            self.budgets.settle(taken, [0] * len(taken.parts))
            return rest
        return _Both(tuple(parts), 0.0 if rest is None else rest.at, "" if rest is None else rest.id, taken, rest)
