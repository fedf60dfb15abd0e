"""
The caches of several workers, which each hold answers of their own, let go of the same.

What an unsafe request has made doubtful (RFC 9111 section 4.4) is told to the others within a tenth of a second, if
there may be an answer of it: L{llmproxy.cache.presence} is what all of them see. Who purges is told how much there was
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
    from ..cache.presence import PresenceFilter

GATHERED = 0.1
"""Seconds within which removals are told together: every POST to an API asks for one, mostly of the same key."""

Plain = list[str]
"""A key as it is told: JSON knows no bytes, so each byte is a character."""


def plain(key: Key) -> Plain:
    return [key.api, key.tenant, *(part.decode("latin-1") for part in (key.method, key.target, key.body))]


def key_of(told: Sequence[str]) -> Key:
    api, tenant, method, target, body = told
    return Key(api, tenant, *(part.encode("latin-1") for part in (method, target, body)))


@implementer(ICacheStore)
class AnnouncingStore:
    """
    A store in memory that tells the other workers what it was told to remove.

    @param announce: called with keys as L{plain} makes them.
    """

    def __init__(self, clock: Any, store: MemoryStore, announce: Callable[[list[Plain]], object]) -> None:
        self._clock = clock
        self._store = store
        self._announce = announce
        self._gathered: dict[bytes, Key] = {}
        self._gathering: Any = None
        self.largest = store.largest
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


class SharedCaches:
    """
    What a worker says of its cache, and does as it hears of the others.

    @param tell: sends a message to the parent.
    @param marks: what it counts in for all to see.
    """

    def __init__(self, reactor: Any, proxy: Any, tell: Callable[..., object], marks: PresenceFilter) -> None:
        from ..cache.memory import MemoryStore

        self._cache = proxy.cache
        self._tell = tell
        self._asked: dict[int, Deferred[int]] = {}
        self._questions = 0
        proxy.purge_others = self._purge_others
        if isinstance(self._cache.store, MemoryStore):
            self._cache.store.share(marks)
            self._cache.store = AnnouncingStore(reactor, self._cache.store, lambda keys: tell("removed", keys=keys))

    def heard(self, kind: str, values: dict[str, Any]) -> None:
        """C{removed}, C{purge} or C{purged}: a message of the parent."""
        if kind == "removed":
            for told in values["keys"]:
                key = key_of(told)
                self._cache.doubt(key)
                self._cache.store.remove_here(key)
        elif kind == "purge":
            count = self._cache.forget(values["api"], values["tenant"], values["start"].encode("latin-1"))
            self._tell("purged", number=values["number"], count=count)
        elif kind == "purged":
            asked = self._asked.pop(values["number"], None)
            if asked is not None:
                asked.callback(values["count"])

    def _purge_others(self, api: str | None, tenant: str | None, start: bytes) -> Deferred[int]:
        self._questions += 1
        asked: Deferred[int] = Deferred()
        self._asked[self._questions] = asked
        text = start.decode("latin-1")
        self._tell("purge_others", number=self._questions, api=api, tenant=tenant, start=text)
        return asked
