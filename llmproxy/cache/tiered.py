"""A small memory in front of a store that several processes share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..interfaces import ICacheStore

if TYPE_CHECKING:
    from ..core.caching.content import Content
    from ..core.caching.entry import Entry, Found
    from ..core.caching.key import Key
    from ..interfaces import Select
    from .memory import MemoryStore

OUTLIVES = 1.0
"""Seconds for which a copy is used: what another process removed is seen for so long at most."""


@implementer(ICacheStore)
class TieredStore:
    """
    What was found in the shared store is answered from memory for a second.

    @param near: bounded by itself; it holds nothing but copies.
    """

    def __init__(self, near: MemoryStore, shared: ICacheStore) -> None:
        self.near = near
        self.shared = shared
        self.largest: int = shared.largest
        self.complete = False
        self._removals = 0

    def start(self) -> None:
        self.shared.start()

    def stop(self) -> Deferred[None]:
        self.near.purge(None, None)
        stopping: Deferred[None] = self.shared.stop()
        return stopping

    def found(self, key: Key, select: Select) -> Found | None:
        found = self.near.found(key, select)
        return found if found is not None and found.entry is not None else None

    def lookup(self, key: Key, select: Select) -> Deferred[Found | None]:
        found = self.found(key, select)
        if found is not None:
            return succeed(found)
        looking: Deferred[Found | None] = self.shared.lookup(key, select)
        return looking.addCallback(self._copy, key, select, self._removals)

    def put(
        self,
        key: Key,
        names: tuple[bytes, ...],
        select: Select,
        entry: Entry,
        body: Content,
        seconds: float,
        since: bytes | None = None,
    ) -> Deferred[bool]:
        self._drop(key)
        putting: Deferred[bool] = self.shared.put(key, names, select, entry, body, seconds, since)
        return putting.addCallback(self._drop_again, key)

    def heads(self, key: Key) -> Deferred[list[tuple[bytes, Entry]]]:
        asking: Deferred[list[tuple[bytes, Entry]]] = self.shared.heads(key)
        return asking

    def replace_head(self, key: Key, found: Found, entry: Entry, seconds: float) -> Deferred[None]:
        self._drop(key)
        replacing: Deferred[None] = self.shared.replace_head(key, found, entry, seconds)
        return replacing.addCallback(self._drop_again, key)

    def remove(self, key: Key) -> Deferred[int]:
        self._drop(key)
        removing: Deferred[int] = self.shared.remove(key)
        return removing.addCallback(self._drop_again, key)

    def purge(self, api: str | None, tenant: str | None, start: bytes = b"") -> Deferred[int]:
        self._removals += 1
        self.near.forget(api, tenant, start)
        purging: Deferred[int] = self.shared.purge(api, tenant, start)
        return purging

    def forget(self, api: str | None, tenant: str | None, start: bytes = b"") -> int:
        self._removals += 1
        self.near.forget(api, tenant, start)
        return int(self.shared.forget(api, tenant, start))

    def count(self) -> Deferred[int | None]:
        counting: Deferred[int | None] = self.shared.count()
        return counting

    def may_hold(self, target: bytes | None) -> bool:
        return bool(self.shared.may_hold(target))

    def expect(self, key: Key) -> bytes | None:
        since: bytes | None = self.shared.expect(key)
        return since

    def settle(self, key: Key) -> None:
        self.shared.settle(key)

    def statistics(self) -> dict[str, float]:
        near, shared = self.near.statistics(), self.shared.statistics()
        return {**shared, **{name: near[name] for name in ("entries", "bytes", "evictions")}}

    def _copy(self, found: Found | None, key: Key, select: Select, removals: int) -> Found | None:
        # What was read before something was removed here may be just that.
        if found is not None and found.entry is not None and removals == self._removals:
            self.near.put(key, found.names, select, found.entry, found.body, OUTLIVES)
        return found

    def _drop(self, key: Key) -> None:
        self._removals += 1
        self.near.remove(key)

    def _drop_again(self, result: Any, key: Key) -> Any:
        self._drop(key)
        return result
