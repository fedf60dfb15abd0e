"""Limits in the memory of one process, for requests that fit in all of them: see L{CounterSet}."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..core.limits.counterset import CounterSet

if TYPE_CHECKING:
    from ..core.limits.counters import Counters
    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Crossed
    from .restored import RestoredLimits


class AtOnce:
    """
    @param counters: those of C{restored}.
    @param seconds: since the epoch.
    @param crossed: called when a share of a budget has been used.
    @ivar seconds: likewise.
    @ivar crossed: likewise.
    """

    __slots__ = ("_counters", "_restored", "crossed", "seconds")

    def __init__(
        self,
        restored: RestoredLimits,
        counters: Counters,
        seconds: Callable[[], float],
        crossed: Callable[[Crossed], object],
    ) -> None:
        self._restored = restored
        self._counters = counters
        self.seconds = seconds
        self.crossed = crossed

    def counted(self, rules: Sequence[Rule]) -> CounterSet | None:
        """What counts requests that these hold for; C{None} where what was used of one before is still asked for."""
        if not self._restored.are_known(rules):
            return None
        return CounterSet(self._counters, rules, self.seconds())
