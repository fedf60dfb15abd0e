"""
Counters of all limits of one kind of request, found once: most requests fit in all of them, and are settled when it is
known what they have used. Whatever else comes to pass is for L{llmproxy.core.limits.counters}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .counters import Counters
from .sliding import WINDOW
from .values import Rule
from .verdicts import SHARES, Crossed, Part, Reservation, crossed

_NO_LIMIT = 1 << 200
"""Of a budget that only warns."""


class Counted(Protocol):
    """What counts all requests that the same limits hold for."""

    @property
    def is_current(self) -> bool:
        """Whether these are still the counters."""

    def take(self, tokens: int, money: int, now: float) -> bool:
        """
        Take 1 of each limit of requests, and so many tokens and so much money; C{False}, and nothing is taken, where it
        does not fit in one of them, and where that cannot be said here.
        """

    def settle(
        self, held: int, reserved: int, at: float, tokens: int, money: int, now: float
    ) -> Sequence[Crossed] | None:
        """
        The request has ended, and has used so much.

        @param held: tokens that it had taken.
        @param reserved: money, likewise.
        @param at: when.
        @return: what has to be said of budgets; C{None}, and nothing is settled, where that cannot be done here.
        """

    def reservation(self, parts: Sequence[Part], at: float) -> Reservation:
        """What was taken, as a store knows it."""


class CounterSet:
    """
    Counts where L{Counters} does: both can be used beside each other.

    @param rules: that hold for the same requests.
    @param now: seconds since the epoch, as all moments are.
    """

    __slots__ = ("_counters", "_epoch", "_money", "_parallel", "_requests", "_tokens")

    def __init__(self, counters: Counters, rules: Sequence[Rule], now: float) -> None:
        self._counters = counters
        self._epoch = counters.epoch
        self._requests = tuple((counters.rate(rule.key), rule.limit) for rule in rules if rule.kind == "requests")
        self._tokens = tuple((counters.rate(rule.key), rule.limit) for rule in rules if rule.kind == "tokens")
        self._parallel = tuple((rule.key, rule.limit) for rule in rules if rule.kind == "parallel")
        self._money = tuple(
            (
                counters.budget(rule, now),
                rule,
                _NO_LIMIT if rule.over_budget == "warn" else rule.limit,
                # Below that there is nothing to be said.
                0 if rule.soft is not None else rule.limit * SHARES[0] // 100,
            )
            for rule in rules
            if rule.kind == "money"
        )

    @property
    def is_current(self) -> bool:
        return self._epoch == self._counters.epoch

    def reservation(self, parts: Sequence[Part], at: float) -> Reservation:
        return Reservation(tuple(parts), at)

    def take(self, tokens: int, money: int, now: float) -> bool:
        counters = self._counters
        if self._epoch != counters.epoch or now >= counters.look_at:
            return False
        second = int(now)
        for rate, limit in self._requests:
            # What has passed makes it only less.
            if rate.total >= limit and rate.at(now) >= limit:
                self._undo(0, rate, tokens)
                return False
            if rate.last == second:
                rate.amounts[-1] += 1
                rate.total += 1
            else:
                rate.add(1, now)
        for rate, limit in self._tokens:
            if rate.total + tokens > limit and tokens and rate.at(now) + tokens > limit:
                self._undo(1, rate, tokens)
                return False
            if rate.last == second:
                rate.amounts[-1] += tokens
                rate.total += tokens
            else:
                rate.add(tokens, now)
        parallel = counters.parallel
        for key, limit in self._parallel:
            running = parallel.get(key, 0)
            if running >= limit:
                self._undo(2, key, tokens)
                return False
            parallel[key] = running + 1
        for budget, rule, limit, _ in self._money:
            if budget.end is not None and now >= budget.end:
                counters.budget(rule, now)
            reserved = budget.reserved + money
            if budget.spent + reserved > limit and money:
                for before, *_ in self._money:
                    if before is budget:
                        break
                    before.reserved -= money
                self._undo(3, None, tokens)
                return False
            budget.reserved = reserved
        return True

    def _undo(self, kind: int, until: object, tokens: int) -> None:
        """
        It does not fit: what was taken in this moment is as if nobody had asked.

        @param kind: of the limit, in the order in which they are taken.
        @param until: what counts that limit; those behind it, and other kinds, have taken nothing yet.
        """
        for rate, _ in self._requests:
            if kind == 0 and rate is until:
                return
            rate.take_back(1)
        for rate, _ in self._tokens if kind > 0 else ():
            if kind == 1 and rate is until:
                return
            rate.take_back(tokens)
        for key, _ in self._parallel if kind > 1 else ():
            if kind == 2 and key is until:
                return
            self._counters.parallel[key] -= 1

    def settle(
        self, held: int, reserved: int, at: float, tokens: int, money: int, now: float
    ) -> Sequence[Crossed] | None:
        counters = self._counters
        if self._epoch != counters.epoch:
            return None
        found: Sequence[Crossed] = ()
        if tokens != held:
            more, second = tokens - held, int(at)
            for rate, _ in self._tokens:
                if rate.last == second and now < second + WINDOW:
                    # As change() does.
                    rate.amounts[-1] += more
                    rate.total += more
                else:
                    rate.change(more, at, now)
        parallel = counters.parallel
        for key, _ in self._parallel:
            running = parallel.get(key, 0)
            parallel[key] = running - 1 if running else 0
        for budget, rule, _, warns in self._money:
            if budget.end is not None and now >= budget.end:
                counters.budget(rule, now)
            left = budget.reserved - reserved
            budget.reserved = left if left > 0 else 0
            before = budget.spent
            after = budget.spent = before + money
            if after >= warns:
                found = [*found, *crossed(rule, before, after)]
        return found
