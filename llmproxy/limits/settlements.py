"""
Settlements of limits in Redis: what requests have used in the end, kept in order until Redis has it.

They go in batches, one after the other, each with a number that Redis remembers: a batch whose answer was lost is sent
again and counts once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from attrs import define
from twisted.internet.defer import Deferred, succeed

from ..core.limits.verdicts import crossed
from ..redis.connection import RedisRefused
from . import scripts
from .names import Names, bounds

if TYPE_CHECKING:
    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Crossed
    from ..redis.calls import RedisCalls
    from ..redis.pool import RedisPool

SOON = 0.05
"""Seconds that what has ended waits, so that one call settles many."""

AGAIN = 1.0
"""Seconds after which a Redis that refused a batch is asked again."""

MOST_AT_ONCE = 200
"""Parts in one call: Redis does nothing else meanwhile."""

MOST_WAITING = 100_000
"""Parts that wait for a Redis that is away; further ones are dropped, and counted: a ledger knows them still."""

_HOPELESS = ("overflow", "not an integer", "WRONGTYPE")
"""Words of refusals that would be the same the next time."""


@define(slots=True, eq=False)
class Ended:
    """
    One part that has ended.

    @ivar amount: what was reserved of it; 0 of a rate that is not known to have been.
    @ivar second: when it was taken, by the clock of Redis; C{""} for places and money, which have an id.
    """

    rule: Rule
    id: str
    amount: int
    used: int
    second: str = ""


class Settlements:
    """
    @param process: a name that no other process has, and no earlier one had.
    @param warn: called for every share of a budget that is passed, as Redis says what all have spent.
    @ivar dropped: parts that Redis never had.
    """

    def __init__(
        self,
        clock: Any,
        pool: RedisPool,
        calls: RedisCalls,
        names: Names,
        process: str,
        warn: Callable[[Crossed], object],
    ) -> None:
        self._clock = clock
        self._pool = pool
        self._calls = calls
        self._names = names
        self._process = names.process(process)
        self._warn = warn
        self._waiting: deque[Ended] = deque()
        self._batch: list[Ended] = []
        self._number = 0
        self._sending = False
        self._timer: Any = None
        self._finished: Deferred[None] | None = None
        self.dropped = 0

    def __len__(self) -> int:
        """Parts that Redis does not have yet."""
        return len(self._waiting) + len(self._batch)

    def add(self, ended: Iterable[Ended]) -> None:
        for each in ended:
            if len(self) < MOST_WAITING:
                self._waiting.append(each)
            else:
                self.dropped += 1
        self.soon()

    def soon(self, seconds: float = SOON) -> None:
        """Send what waits, if Redis can be asked; who connects calls it again."""
        if len(self) and self._timer is None and not self._sending and self._pool.available:
            self._timer = self._clock.callLater(seconds, self._due)

    def finish(self) -> Deferred[None]:
        """Send what waits at once; fires when there is nothing left or Redis does not take it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not len(self) or not self._pool.available:
            return succeed(None)
        finished: Deferred[None] = Deferred()
        self._finished = finished
        if not self._sending:
            self._send()
        return finished

    def _due(self) -> None:
        self._timer = None
        self._send()

    def _send(self) -> None:
        if not self._batch:
            self._number += 1
            self._batch = [self._waiting.popleft() for _ in range(min(MOST_AT_ONCE, len(self._waiting)))]
        self._sending = True
        now = self._clock.seconds()
        arguments: list[bytes] = [b"%d" % self._number]
        for each in self._batch:
            arguments += (each.id.encode(), each.rule.kind.encode(), b"%d" % each.amount, b"%d" % each.used)
            arguments += (each.second.encode(), *bounds(each.rule, now))
        keys = (self._process, *self._names.of([each.rule for each in self._batch]))
        self._calls.run(scripts.SETTLE, keys, *arguments).addCallbacks(self._settled, self._not_settled)

    def _settled(self, before: list[bytes]) -> None:
        batch = self._take()
        for each, spent in zip(batch, before, strict=False):
            if spent:
                for crossing in crossed(each.rule, int(spent), int(spent) + each.used):
                    self._warn(crossing)
        self._next(0.0 if len(self._waiting) >= MOST_AT_ONCE else SOON)

    def _not_settled(self, reason: Any) -> None:
        self._calls.failed(reason, None)
        self._sending = False
        if reason.check(RedisRefused) and any(word in str(reason.value) for word in _HOPELESS):
            self.dropped += len(self._take())
        self._end()
        self.soon(AGAIN)

    def _take(self) -> list[Ended]:
        self._sending = False
        batch, self._batch = self._batch, []
        return batch

    def _next(self, seconds: float) -> None:
        if self._finished is None:
            self.soon(seconds)
        elif len(self):
            self._send()
        else:
            self._end()

    def _end(self) -> None:
        if self._finished is not None:
            finished, self._finished = self._finished, None
            finished.callback(None)
