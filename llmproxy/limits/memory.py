"""Limits counted in the memory of one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..core.limits.counters import Counters
from ..interfaces import ILimitStore

if TYPE_CHECKING:
    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Crossed, Left, Part, Refusal, Reservation
    from .restored import Past

MOST = 1 << 17
"""
Limits that are counted at once. Those of tokens and projects are as many as there are of these; addresses, users and
tags are what clients make them. Above that, what is used least of rates is forgotten.
"""

PRUNES_EVERY = 60.0
"""Seconds after which what counts for nothing any more is forgotten."""

PRUNES_AT_MOST_EVERY = 1.0
"""Seconds, however many limits come."""


@implementer(ILimitStore)
class MemoryLimits:
    """
    Answers at once. What was used before a process began is unknown to it, see L{Counters.restore}.

    @param seconds: since the epoch.
    @param crossed: called when a share of a budget has been used.
    @ivar counters: what is used.
    @ivar failures: none, as nobody else counts.
    """

    failures = 0
    decides = True

    def __init__(self, seconds: Callable[[], float], crossed: Callable[[Crossed], object], most: int = MOST) -> None:
        self._seconds = seconds
        self._crossed = crossed
        self._most = most
        self._pruned_at = seconds()
        self.counters = Counters()

    def reserve(
        self, parts: Sequence[Part], id: str = "", asked: Sequence[Part] | None = None
    ) -> Reservation | Refusal:
        now = self._seconds()
        if now >= self.counters.look_at:
            self._look(now)
        return self.counters.reserve(parts, now, id, asked)

    def settle(self, held: Reservation, used: Sequence[int | None]) -> None:
        for each in self.counters.settle(held, used, self._seconds()):
            self._crossed(each)

    def give_back(self, held: Reservation) -> None:
        self.counters.give_back(held, self._seconds())

    def left(self, rules: Sequence[Rule]) -> Deferred[list[Left]]:
        now = self._seconds()
        return succeed([self.counters.left(rule, now) for rule in rules])

    def has_begun(self, rule: Rule) -> bool:
        """Whether a budget, or a rate, is counted already."""
        return self.counters.has_begun(rule)

    def begin(self, rule: Rule, spent: int) -> None:
        """At least so much was spent of it in the present window."""
        self.counters.begin(rule, spent, self._seconds())

    def restore(self, rule: Rule, used: Past) -> None:
        """So much of a rate was used before."""
        now = self._seconds()
        if not self.counters.has_begun(rule):
            for at, amount in used:
                self.counters.restore(rule, amount, at, now)

    def _look(self, now: float) -> None:
        """Whether something can be forgotten."""
        self.counters.look_at = now + PRUNES_AT_MOST_EVERY
        if now - self._pruned_at >= PRUNES_EVERY or len(self.counters) > self._most:
            self._prune(now)

    def _prune(self, now: float) -> None:
        self._pruned_at = now
        self.counters.prune(now)
        if len(self.counters) > self._most:
            self.counters.shed(len(self.counters) - self._most // 2)
