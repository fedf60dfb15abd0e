"""Questions that are gathered: what many ask a database for at the same time is one query, and one hop to a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from ..errors import Unavailable

Answer = TypeVar("Answer")

MOST = 200
"""Keys of one query."""

AT_ONCE = 4
"""Queries that run at the same time: while they do, what is asked for besides waits for the next one."""

MOST_WAITING = 20_000


class Gathered(Generic[Answer]):
    """
    The first ones who ask do so at once; those who ask while that is under way are asked for together. What is on its
    way is given to nobody who asks later: it may be old by then.

    Who cancels their question leaves the others alone. What goes wrong with a query of several keys is found out of
    each by itself, unless the database cannot be asked at all.

    @param ask: the answers by their keys, those that there are.
    """

    def __init__(self, ask: Callable[[Sequence[str]], Deferred[dict[str, Answer]]]) -> None:
        self._ask = ask
        self._running = 0
        self._waiting: dict[str, list[Deferred[Answer | None]]] = {}
        self._count = 0

    def get(self, key: str) -> Deferred[Answer | None]:
        """The answer for a key; C{None} where there is none."""
        if self._count >= MOST_WAITING:
            return fail(Unavailable("too many wait for the database"))
        asked: Deferred[Answer | None] = Deferred(lambda _: self._left(key, asked))
        self._waiting.setdefault(key, []).append(asked)
        self._count += 1
        self._go_on()
        return asked

    def _left(self, key: str, asked: Deferred[Answer | None]) -> None:
        waiting = self._waiting.get(key)
        if waiting is not None and asked in waiting:
            waiting.remove(asked)
            self._count -= 1
            if not waiting:
                del self._waiting[key]

    def _go_on(self) -> None:
        while self._waiting and self._running < AT_ONCE:
            keys = list(self._waiting)[:MOST]
            asked = {key: self._waiting.pop(key) for key in keys}
            self._count -= sum(map(len, asked.values()))
            self._running += 1
            self._begin(asked)

    def _begin(self, asked: dict[str, list[Deferred[Answer | None]]]) -> None:
        # Who answers at once calls back before this returns.
        self._ask([*asked]).addCallbacks(self._found, self._failed, (asked,), {}, (asked,), {})

    def _found(self, found: Mapping[str, Answer], asked: dict[str, list[Deferred[Answer | None]]]) -> None:
        self._running -= 1
        for key, waiting in asked.items():
            for each in waiting:
                if not each.called:
                    each.callback(found.get(key))
        self._go_on()

    def _failed(self, reason: Failure, asked: dict[str, list[Deferred[Answer | None]]]) -> None:
        if len(asked) > 1 and not reason.check(Unavailable):
            self._running += len(asked) - 1
            for key, waiting in asked.items():
                self._begin({key: waiting})
            return
        self._running -= 1
        for waiting in asked.values():
            for each in waiting:
                if not each.called:
                    each.errback(reason)
        self._go_on()
