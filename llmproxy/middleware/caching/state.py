"""State of the cache that all its requests have in common: the store, what is being fetched, and what is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ...core.caching.likelihood import Likelihood
from ...core.caching.storing import retention
from .sharing import Budget

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime

    from ...apisettings import CacheSettings
    from ...composition import Middleware
    from ...core.caching.entry import Entry, Found
    from ...core.caching.key import Key
    from ...interfaces import ICacheStore
    from ...message import ApiResponse
    from .request import Again, CacheRequest

HELD = 64 * 1024 * 1024
"""
Bytes that all answers together may hold while they are on their way into the store. An installation that lets one
alone be larger gives it room.
"""


class Running(Protocol):
    """What L{llmproxy.middleware.caching.fetch.Fetch} is to those who may join it, or doubt what it brings."""

    key: Key

    def join(self, caller: CacheRequest, until: float = 0.0) -> Deferred[ApiResponse | Again]: ...

    def is_stuck(self, now: float) -> bool: ...

    def set_aside(self) -> None: ...

    def doubt(self) -> None: ...


Place = bytes | Running
"""Where a running fetch is listed: by the variant that others may join it for, or by itself if nobody may."""


class CacheState:
    """
    @param clock: its C{seconds} are since the epoch.
    @param background: what upstream is asked through where no client waits: it makes a record of it.
    @param held: bytes that all answers together may hold while they are on their way into the store.
    @ivar counts: where answers that were stored are counted, as C{store}; what became of a request stands in its
        record, which is counted when it has ended.
    @ivar collapsed: requests that were answered with the bytes of another's.
    @ivar revalidated: stored answers that upstream said are still good.
    """

    def __init__(
        self, clock: IReactorTime, store: ICacheStore, background: Middleware, counts: dict[str, int], held: int = HELD
    ) -> None:
        self.clock = clock
        self.seconds = clock.seconds
        self.store = store
        self.background = background
        self.budget = Budget(held)
        self._held = held
        self.counts = counts
        self.collapsed = 0
        self.revalidated = 0
        self.likelihood = Likelihood()
        self._running: dict[bytes, dict[Place, Running]] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is being fetched that others may join, or that may still be stored."""
        return not self._running

    # -- what is being fetched

    def running(self, key: Key, variant: bytes) -> Running | None:
        """The running fetch for this variant that a request may join, or C{None}."""
        places = self._running.get(key.digest)
        return None if places is None else places.get(variant)

    def started(self, fetch: Running, place: Place) -> bytes | None:
        """
        List a fetch whose request leaves now.

        @return: what L{ICacheStore.put} is to be given with what it brings.
        """
        since: bytes | None = self.store.expect(fetch.key)
        self._running.setdefault(fetch.key.digest, {})[place] = fetch
        return since

    def moved(self, fetch: Running, place: Place) -> Place:
        """List a fetch by itself from now on: nobody else joins it; what it brings can still be doubted."""
        places = self._running[fetch.key.digest]
        if places.get(place) is fetch:
            del places[place]
        places[fetch] = fetch
        return fetch

    def finished(self, fetch: Running, place: Place) -> None:
        """Nobody joins this fetch any more, and what it brought is stored or will not be."""
        key = fetch.key
        self.store.settle(key)
        places = self._running.get(key.digest)
        if places is not None and places.get(place) is fetch:
            del places[place]
            if not places:
                del self._running[key.digest]

    # -- what has changed

    def doubt(self, key: Key) -> None:
        """Do not store what is on its way now."""
        for fetch in list(self._running.get(key.digest, {}).values()):
            fetch.doubt()

    def remove(self, key: Key) -> Deferred[int]:
        """Remove what is stored, and do not store what is on its way now."""
        self.doubt(key)
        return self.store.remove(key)

    def purge(self, api: str | None, tenant: str | None, start: bytes = b"") -> Deferred[int]:
        """The same for all keys that L{ICacheStore.purge} removes."""
        self._doubt_all(api, tenant, start)
        return self.store.purge(api, tenant, start)

    def forget(self, api: str | None, tenant: str | None, start: bytes = b"") -> int:
        """The same for those that L{ICacheStore.forget} removes."""
        self._doubt_all(api, tenant, start)
        return self.store.forget(api, tenant, start)

    def freshen(self, key: Key, found: Found, entry: Entry | None, settings: CacheSettings) -> Deferred[Any]:
        """Keep the content that was found under another head, or not at all."""
        seconds = 0.0 if entry is None else retention(entry, self.seconds(), settings)
        if entry is None or seconds <= 0:
            return self.store.remove(key)
        return self.store.replace_head(key, found, entry, seconds)

    def _doubt_all(self, api: str | None, tenant: str | None, start: bytes) -> None:
        for places in list(self._running.values()):
            for fetch in list(places.values()):
                key = fetch.key
                if api in (None, key.api) and tenant in (None, key.tenant) and key.member.startswith(start):
                    fetch.doubt()

    # -- what is counted

    def count_in(self, counts: dict[str, int]) -> None:
        """Count there from now on what is stored."""
        self.counts = counts

    def make_room(self, held: int) -> None:
        """See to it that all answers together may hold so much, as one alone may in another configuration."""
        self.budget.left += max(0, held - self._held)
        self._held = max(held, self._held)

    def note_stored(self) -> None:
        self.counts["store"] += 1

    def note_collapsed(self) -> None:
        self.collapsed += 1

    def note_revalidated(self) -> None:
        self.revalidated += 1
