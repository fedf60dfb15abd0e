"""Limits that are counted in two places: money where machines share it, all others here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..core.limits.verdicts import Part, Refusal, Reservation
from ..interfaces import ILimitStore
from .leased import Taken

if TYPE_CHECKING:
    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Left
    from .leased import LeasedBudgets

Outcome = Reservation | Refusal


@implementer(ILimitStore)
class SplitLimits:
    """
    What it knows of a reservation is what is held of budgets, and what of other limits; nothing where there are no
    budgets.

    @ivar rest: counts what is no money.
    @ivar budgets: counts money.
    """

    def __init__(self, rest: ILimitStore, budgets: LeasedBudgets) -> None:
        self.rest = rest
        self.budgets = budgets

    def reserve(self, parts: Sequence[Part]) -> Outcome | Deferred[Outcome]:
        money: list[Part] = []
        others: list[Part] = []
        for part in parts:
            (money if part.rule.kind == "money" else others).append(part)
        if not money:
            return self.rest.reserve(parts)
        taken = self.budgets.reserve(money)
        if type(taken) is Taken:
            return self._taken(taken, others, parts)
        if isinstance(taken, Refusal):
            return taken
        return taken.addCallback(self._taken, others, parts)  # type: ignore[union-attr]

    def settle(self, held: Reservation, used: Sequence[int | None]) -> None:
        if held.more is None:
            self.rest.settle(held, used)
            return
        taken, rest = held.more
        money: list[int | None] = []
        others: list[int | None] = []
        for part, known in zip(held.parts, used, strict=True):
            (money if part.rule.kind == "money" else others).append(known)
        self.budgets.settle(taken, money)
        if rest is not None:
            self.rest.settle(rest, others)

    def give_back(self, held: Reservation) -> None:
        if held.more is None:
            self.rest.give_back(held)
            return
        taken, rest = held.more
        self.budgets.settle(taken, [0] * len(taken))
        if rest is not None:
            self.rest.give_back(rest)

    def left(self, rules: Sequence[Rule]) -> Deferred[list[Left]]:
        return Deferred.fromCoroutine(self._left(rules))

    async def _left(self, rules: Sequence[Rule]) -> list[Left]:
        money = [rule for rule in rules if rule.kind == "money"]
        others = [rule for rule in rules if rule.kind != "money"]
        found = iter(await self.budgets.left(money) if money else ())
        rest = iter(await self.rest.left(others) if others else ())
        return [next(found if rule.kind == "money" else rest) for rule in rules]

    def _taken(self, taken: Taken | Refusal, others: list[Part], parts: Sequence[Part]) -> Outcome | Deferred[Outcome]:
        if isinstance(taken, Refusal):
            return taken
        if not others:
            return Reservation(tuple(parts), 0.0, "", (taken, None))
        rest = self.rest.reserve(others)
        if type(rest) is Reservation:
            return Reservation(tuple(parts), rest.at, "", (taken, rest))
        if isinstance(rest, Deferred):
            return rest.addCallback(self._both, taken, parts)
        return self._both(rest, taken, parts)

    def _both(self, rest: Outcome, taken: Taken, parts: Sequence[Part]) -> Outcome:
        if isinstance(rest, Refusal):
            self.budgets.settle(taken, [0] * len(taken))
            return rest
        return Reservation(tuple(parts), rest.at, "", (taken, rest))
