"""
Limits that the workers of a machine share, in memory that all of them see: exact, and nobody is asked.

A lock of the system is held for the some ten microseconds that a reservation takes; a process that dies with it gives
it back. One that is stopped while it has it is waited for shortly: then each counts for itself, as C{on_store_failure}
has it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Sequence
from mmap import mmap
from time import monotonic
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail, succeed

from ..core.limits.counters import Counters
from ..core.limits.verdicts import Refusal
from ..errors import Unavailable
from .sharedtable import LimitTable

if TYPE_CHECKING:
    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Crossed, Left, Part, Reservation
    from .restored import Past

PATIENCE = 0.02
"""Seconds that the lock is waited for."""

SHORT = 1.0
"""Seconds after which it is worth to try again."""

MOST_WAITING = 10_000
"""Requests that have ended and could not be settled yet."""


class Locked:
    """
    The lock of a table, of one file for all processes.

    @ivar patience: see L{PATIENCE}.
    @param fd: stays open as long as the lock is used; no other descriptor of the file may be closed in this process
        while it is held (POSIX takes the lock away then).
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.patience = PATIENCE

    def take(self) -> bool:
        """C{False} if it could not be had in time."""
        end = 0.0
        while True:
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except OSError:
                now = monotonic()
                end = end or now + self.patience
                if now >= end:
                    return False
                os.sched_yield()

    def give(self) -> None:
        fcntl.lockf(self._fd, fcntl.LOCK_UN)


class SharedLimits:
    """
    See L{llmproxy.limits.restored.Counts}.

    @param seconds: since the epoch, the same clock in all processes.
    @param crossed: called when a share of a budget has been used, by the process that passed it.
    @ivar failures: requests that were decided by what this process alone has seen.
    @ivar decides: see L{llmproxy.limits.restored.Counts}.
    """

    decides = True

    def __init__(
        self,
        lock: Locked,
        table: LimitTable,
        seconds: Callable[[], float],
        crossed: Callable[[Crossed], object],
    ) -> None:
        self._lock = lock
        self._table = table
        self._seconds = seconds
        self._crossed = crossed
        self._alone = Counters()
        self._own: set[int] = set()
        self._waiting: list[tuple[Reservation, Sequence[int | None]]] = []
        self.failures = 0

    def reserve(
        self, parts: Sequence[Part], id: str = "", asked: Sequence[Part] | None = None
    ) -> Reservation | Refusal:
        if not self._lock.take():
            return self._reserve_alone(parts, id, asked)
        try:
            self._settle_waiting()
            return self._table.reserve(parts, self._seconds(), id, asked)
        finally:
            self._lock.give()

    def settle(self, held: Reservation, used: Sequence[int | None]) -> None:
        if id(held) in self._own:
            self._own.discard(id(held))
            self._alone.settle(held, used, self._seconds())
        elif len(self._waiting) < MOST_WAITING:
            self._waiting.append((held, used))
            if self._lock.take():
                try:
                    self._settle_waiting()
                finally:
                    self._lock.give()

    def give_back(self, held: Reservation) -> None:
        self.settle(held, [0] * len(held.parts))

    def left(self, rules: Sequence[Rule]) -> Deferred[list[Left]]:
        if not self._lock.take():
            return fail(Unavailable("limits: another worker holds the table that all share"))
        try:
            now = self._seconds()
            return succeed([self._table.left(rule, now) for rule in rules])
        finally:
            self._lock.give()

    def has_begun(self, rule: Rule) -> bool:
        return self._table.has_begun(rule)

    def begin(self, rule: Rule, spent: int) -> None:
        if self._lock.take():
            try:
                self._table.begin(rule, spent, self._seconds())
            finally:
                self._lock.give()

    def restore(self, rule: Rule, used: Past) -> None:
        if self._lock.take():
            try:
                self._table.restore(rule, used, self._seconds())
            finally:
                self._lock.give()

    def _reserve_alone(self, parts: Sequence[Part], given: str, asked: Sequence[Part] | None) -> Reservation | Refusal:
        now = self._seconds()
        self._alone.prune(now)
        if self.decides:
            self.failures += 1
            closed = next((part.rule for part in parts if part.rule.on_store_failure == "closed"), None)
            if closed is not None:
                return Refusal(closed, 0, SHORT, unavailable=True)
            parts = [part for part in parts if part.rule.on_store_failure == "local"]
        outcome = self._alone.reserve(parts, now, given, asked)
        if not isinstance(outcome, Refusal):
            self._own.add(id(outcome))
        return outcome

    def _settle_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        now = self._seconds()
        for held, used in waiting:
            for each in self._table.settle(held, used, now):
                self._crossed(each)


def shared_limits(
    fd: int, width: int, column: int, seconds: Callable[[], float], crossed: Callable[[Crossed], Any]
) -> SharedLimits:
    """What a worker counts in; it keeps C{fd}."""
    cells = memoryview(mmap(fd, 0)).cast("q")
    return SharedLimits(Locked(fd), LimitTable(cells, width, column), seconds, crossed)
