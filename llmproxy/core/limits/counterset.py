"""
Counters of all limits of one kind of request, found once: most requests fit in all of them, and are settled when it is
known what they have used. Whatever else comes to pass is for L{llmproxy.core.limits.counters}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .counters import Counters
from .values import Rule
from .verdicts import SHARES, Crossed, crossed

_NO_LIMIT = 1 << 200
"""Of a budget that only warns."""

_new = tuple.__new__


class Taken(NamedTuple):
    """
    What a request holds of each of its limits.

    @ivar at: when it was taken.
    """

    tokens: int
    money: int
    at: float


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
            (counters.budget(rule, now), rule, _NO_LIMIT if rule.over_budget == "warn" else rule.limit)
            for rule in rules
            if rule.kind == "money"
        )

    @property
    def is_current(self) -> bool:
        """Whether these are still the counters."""
        return self._epoch == self._counters.epoch

    def take(self, tokens: int, money: int, now: float) -> Taken | None:
        """
        Take 1 of each limit of requests, and so many tokens and so much money; C{None}, and nothing, where it does not
        fit in one of them, and where that cannot be said here.
        """
        counters = self._counters
        if self._epoch != counters.epoch or now >= counters.look_at:
            return None
        for rate, limit in self._requests:
            # What has passed makes it only less.
            if rate.total >= limit and rate.at(now) >= limit:
                return None
        for rate, limit in self._tokens:
            if rate.total + tokens > limit and tokens and rate.at(now) + tokens > limit:
                return None
        parallel = counters.parallel
        for key, limit in self._parallel:
            if parallel.get(key, 0) >= limit:
                return None
        for budget, rule, limit in self._money:
            if budget.end is not None and now >= budget.end:
                counters.budget(rule, now)
            if budget.spent + budget.reserved + money > limit and money:
                return None
        second = int(now)
        for rate, _ in self._requests:
            seconds = rate.seconds
            if seconds and seconds[-1] == second:
                rate.amounts[-1] += 1
                rate.total += 1
            else:
                rate.add(1, now)
        for rate, _ in self._tokens:
            seconds = rate.seconds
            if seconds and seconds[-1] == second:
                rate.amounts[-1] += tokens
                rate.total += tokens
            else:
                rate.add(tokens, now)
        for key, _ in self._parallel:
            parallel[key] = parallel.get(key, 0) + 1
        for budget, _, _ in self._money:
            budget.reserved += money
        return _new(Taken, (tokens, money, now))

    def settle(self, taken: Taken, tokens: int, money: int, now: float) -> Sequence[Crossed] | None:
        """
        The request has ended, and has used so much.

        @return: what has to be said of budgets; C{None}, and nothing is settled, where that cannot be done here.
        """
        counters = self._counters
        if self._epoch != counters.epoch:
            return None
        found: Sequence[Crossed] = ()
        held, reserved, at = taken
        if tokens != held:
            for rate, _ in self._tokens:
                rate.change(tokens - held, at, now)
        for key, _ in self._parallel:
            running = counters.parallel.get(key, 0) - 1
            if running > 0:
                counters.parallel[key] = running
            else:
                counters.parallel.pop(key, None)
        for budget, rule, _ in self._money:
            if budget.end is not None and now >= budget.end:
                counters.budget(rule, now)
            budget.reserved = budget.reserved - reserved if budget.reserved > reserved else 0
            before = budget.spent
            after = budget.spent = before + money
            if rule.soft is not None or after * 100 >= rule.limit * SHARES[0]:
                found = [*found, *crossed(rule, before, after)]
        return found
