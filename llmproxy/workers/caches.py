"""
The caches of several workers, which each hold answers of their own, remove the same.

What an unsafe request has made doubtful (RFC 9111 section 4.4) is passed on to the others within a tenth of a second,
if there may be an answer of it: L{llmproxy.cache.presence} is what all of them see. A purge reports how much there was
in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..core.caching.key import Key
from ..interfaces import ICacheStore

if TYPE_CHECKING:
    from ..cache.memory import MemoryStore

GATHERED = 0.1
"""Seconds within which removals are sent together: every POST to an API asks for one, mostly of the same key."""

Plain = list[str]
"""A key as it is sent: JSON knows no bytes, so each byte is a character."""


def plain(key: Key) -> Plain:
    return [key.api, key.tenant, *(part.decode("latin-1") for part in (key.method, key.target, key.body))]


def key_of(sent: Sequence[str]) -> Key:
    api, tenant, method, target, body = sent
    return Key(api, tenant, *(part.encode("latin-1") for part in (method, target, body)))


@implementer(ICacheStore)
class AnnouncingStore:
    """
    A store in memory that broadcasts removals to the other workers.

    @param announce: called with keys as L{plain} makes them.
    """

    def __init__(self, clock: Any, store: MemoryStore, announce: Callable[[list[Plain]], object]) -> None:
        self._clock = clock
        self._store = store
        self._announce = announce
        self._gathered: dict[bytes, Key] = {}
        self._gathering: Any = None
        self.largest = store.largest
        self.complete = store.complete
        self.may_hold = store.may_hold
        self.expect = store.expect
        self.settle = store.settle
        self.start = store.start
        self.found = store.found
        self.lookup = store.lookup
        self.put = store.put
        self.heads = store.heads
        self.replace_head = store.replace_head
        self.purge = store.purge
        self.forget = store.forget
        self.count = store.count
        self.statistics = store.statistics
        self.remove_here = store.remove

    def stop(self) -> Deferred[None]:
        if self._gathering is not None:
            self._gathering.cancel()
        self._tell()
        return self._store.stop()

    def remove(self, key: Key) -> Deferred[int]:
        self._gathered[key.digest] = key
        if self._gathering is None:
            self._tell()
            self._gathering = self._clock.callLater(GATHERED, self._again)
        return self._store.remove(key)

    def _again(self) -> None:
        self._gathering = None
        if self._gathered:
            self._tell()
            self._gathering = self._clock.callLater(GATHERED, self._again)

    def _tell(self) -> None:
        gathered, self._gathered = self._gathered, {}
        if gathered:
            self._announce([plain(key) for key in gathered.values()])
