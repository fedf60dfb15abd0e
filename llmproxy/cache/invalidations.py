"""Keys that are to go from Redis: gathered, and remembered while it is away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.defer import Deferred

from . import scripts
from .rediskeys import member

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.caching.key import Key
    from ..redis.calls import RedisCalls
    from .rediskeys import RedisKeys

GATHERED = 0.1
"""Seconds within which removals are sent together: every POST to an API asks for one, mostly of the same key."""

MOST_OWED = 10_000
"""Keys that could not be removed while Redis was away; beyond, everything is purged when it is back."""


@define(eq=False, slots=True)
class _Removal:
    """A key that is to go, and who wants to know."""

    key: Key
    sent: bool = False
    waiting: list[Deferred[int]] = field(factory=list)


class PendingInvalidations:
    """
    @param purge: removes everything.
    """

    def __init__(self, clock: Any, calls: RedisCalls, keys: RedisKeys, purge: Callable[[], Deferred[int]]) -> None:
        self._clock = clock
        self._calls = calls
        self._keys = keys
        self._purge = purge
        self._leaving: dict[bytes, _Removal] = {}
        self._gathering: Any = None
        self._owed: dict[bytes, Key] = {}
        self._owes_everything = False
        self._paying = False

    def remove(self, key: Key) -> Deferred[int]:
        """How many went; C{0} if Redis is away, and then it is owed."""
        leaving = self._leaving.get(key.digest)
        if leaving is None or leaving.sent:
            leaving = self._leaving[key.digest] = _Removal(key)
        waiting: Deferred[int] = Deferred()
        leaving.waiting.append(waiting)
        if self._gathering is None:
            self._send()
        return waiting

    def hides(self, key: Key) -> bool:
        """Whether what is stored should not be there any more."""
        return self._owes_everything or key.digest in self._leaving or key.digest in self._owed

    def purged(self) -> None:
        """Everything went: nothing is owed."""
        self._owed.clear()
        self._owes_everything = False

    def send_last(self) -> list[Deferred[int]]:
        """Send what was gathered, and gather no more; what is being waited for."""
        if self._gathering is not None:
            self._gathering.cancel()
        self._send()
        self._gathering.cancel()
        self._gathering = None
        return [waiting for removal in self._leaving.values() for waiting in removal.waiting]

    def pay(self) -> None:
        """Redis is there, again: remove what is owed."""
        if self._paying or not (self._owed or self._owes_everything):
            return
        self._paying = True

        def paid(_: object) -> None:
            self._paying = False

        self._calls.safely(self._repay(), None).addBoth(paid)

    def _send(self) -> None:
        """The first at once; what comes within L{GATHERED} then, together."""
        self._gathering = self._clock.callLater(GATHERED, self._gathered)
        for leaving in list(self._leaving.values()):
            if not leaving.sent:
                leaving.sent = True
                self._remove(leaving.key).addBoth(self._removed, leaving)

    def _gathered(self) -> None:
        self._gathering = None
        if any(not leaving.sent for leaving in self._leaving.values()):
            self._send()

    def _remove(self, key: Key) -> Deferred[int]:
        scope = self._keys.scope(key.api, key.tenant)
        keys = (self._keys.object(key), scope.members, scope.expiries, *self._keys.logs)
        return self._calls.run(scripts.REMOVE, keys, member(key)).addCallback(int)

    def _removed(self, result: Any, leaving: _Removal) -> None:
        if self._leaving.get(leaving.key.digest) is leaving:
            del self._leaving[leaving.key.digest]
        if not isinstance(result, int):
            self._owe(leaving.key)
            result = self._calls.failed(result, 0)
        for waiting in leaving.waiting:
            waiting.callback(result)

    def _owe(self, key: Key) -> None:
        """It is still to be removed; it will be, when Redis is back."""
        if len(self._owed) >= MOST_OWED:
            self._owes_everything = True
            self._owed.clear()
        elif not self._owes_everything:
            self._owed[key.digest] = key

    async def _repay(self) -> None:
        if self._owes_everything:
            await self._purge()
        for digest, key in list(self._owed.items()):
            await self._remove(key)
            self._owed.pop(digest, None)
