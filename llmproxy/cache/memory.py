"""Stored responses in the memory of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from zope.interface import classImplements

from ..core.caching.entry import Entry, Found, pack, unpack
from ..interfaces import ICacheStore
from .presence import PresenceFilter

if TYPE_CHECKING:
    from ..core.caching.content import Content
    from ..core.caching.key import Key
    from ..interfaces import Select

OVERHEAD = 800
"""
Bytes that an object costs beside its target, head and body: objects of Python, tables, the allocator, and what
that leaves unused. Measured by C{tests.benchmarks.cache_memory}: the kernel counts no more than we do.
"""

MOST_VARIANTS = 64
"""Of one primary key; the one that was stored first makes room."""

_Scope = tuple[str, str]


class _Primary:
    """One key: its variants, and where it is registered."""

    __slots__ = ("digest", "member", "names", "objects", "scope")

    def __init__(self, digest: bytes, member: bytes, scope: _Scope, names: tuple[bytes, ...]) -> None:
        self.digest = digest
        self.member = member
        self.scope = scope
        self.names = names
        self.objects: tuple[_Object, ...] = ()

    @property
    def target(self) -> bytes | None:
        """What an unsafe request makes it doubtful by."""
        target, _, rest = self.member.partition(b"\0")
        return target if rest == b"GET" else None

    def of(self, variant: bytes) -> _Object | None:
        for stored in self.objects:
            if stored.variant == variant:
                return stored
        return None


class _Object:
    """
    One variant, between its neighbours in the order of use.

    @ivar size: bytes that it costs.
    """

    __slots__ = ("body", "expires", "head", "newer", "older", "primary", "size", "variant")

    def __init__(self, primary: _Primary, variant: bytes, head: bytes, body: Content, expires: float) -> None:
        self.primary = primary
        self.variant = variant
        self.head = head
        self.body = body
        self.expires = expires
        self.newer: _Object = self
        self.older: _Object = self
        size = OVERHEAD + len(primary.member) + len(head) + len(body)
        self.size = size if isinstance(body, bytes) else size + body.overhead


class MemoryStore:
    """
    The least recently used goes first; every operation on one key takes constant time.

    @param seconds: the time since the epoch.
    @param limit: bytes, what an object costs beside its content included.
    """

    may_hold: Callable[[bytes | None], bool]

    def __init__(self, seconds: Callable[[], float], limit: int) -> None:
        self._seconds = seconds
        self._limit = limit
        self.largest = max(0, limit - OVERHEAD)
        self.complete = True
        self._primaries: dict[bytes, _Primary] = {}
        self._scopes: dict[_Scope, set[_Primary]] = {}
        # The ring: its newer is the one that was used longest ago, its older the one that was used last.
        self._ring = _Object(_Primary(b"", b"", ("", ""), ()), b"", b"", b"", 0.0)
        self._bytes = 0
        self._entries = 0
        self._evictions = 0
        self.share(PresenceFilter())

    def share(self, marks: PresenceFilter) -> None:
        """Count in a table that others see; nothing is held yet."""
        self._marks = marks
        self.may_hold = marks.may_hold

    def start(self) -> None:
        """There is nothing to begin."""

    def stop(self) -> Deferred[None]:
        return succeed(None)

    def lookup(self, key: Key, select: Select) -> Deferred[Found | None]:
        return succeed(self.found(key, select))

    def found(self, key: Key, select: Select) -> Found | None:
        primary = self._primaries.get(key.digest)
        if primary is None:
            return None
        names = primary.names
        stored = primary.of(select(names) if names else b"")
        if stored is None:
            return Found(None)
        entry = unpack(stored.head) if stored.expires > self._seconds() else None
        if entry is None:
            self._drop(stored)
            return None
        self._use(stored)
        return Found(entry, stored.body, stored.variant)

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
        primary = self._primaries.get(key.digest)
        if primary is not None and not set(names).issubset(primary.names):
            names = tuple(sorted({*names, *primary.names}))
            self._drop_all(primary)
            primary = None
        if primary is None:
            primary = _Primary(key.digest, key.member, (key.api, key.tenant), names)
        variant = select(primary.names) if primary.names else b""
        return succeed(self._store(primary, _Object(primary, variant, pack(entry), body, self._seconds() + seconds)))

    def heads(self, key: Key) -> Deferred[list[tuple[bytes, Entry]]]:
        primary = self._primaries.get(key.digest)
        known = ((stored.variant, unpack(stored.head)) for stored in (primary.objects if primary else ()))
        return succeed([(variant, entry) for variant, entry in known if entry is not None])

    def replace_head(self, key: Key, found: Found, entry: Entry, seconds: float) -> Deferred[None]:
        primary = self._primaries.get(key.digest)
        variant = found.variant
        stored = primary.of(variant) if primary is not None else None
        if primary is not None and stored is not None and unpack(stored.head) == found.entry:
            # Others look at the marks, and in between it is gone.
            self.expect(key)
            self._store(primary, _Object(primary, variant, pack(entry), stored.body, self._seconds() + seconds))
            self.settle(key)
        return succeed(None)

    def remove(self, key: Key) -> Deferred[int]:
        primary = self._primaries.get(key.digest)
        if primary is None:
            return succeed(0)
        self._drop_all(primary)
        return succeed(1)

    def purge(self, api: str | None, tenant: str | None, start: bytes = b"") -> Deferred[int]:
        return succeed(self.forget(api, tenant, start))

    def forget(self, api: str | None, tenant: str | None, start: bytes = b"") -> int:
        gone = [primary for primary in self._within(api, tenant) if primary.member.startswith(start)]
        for primary in gone:
            self._drop_all(primary)
        return len(gone)

    def count(self) -> Deferred[int | None]:
        return succeed(len(self._primaries))

    def expect(self, key: Key) -> None:
        if key.method == b"GET":
            self._marks.add(key.target)

    def settle(self, key: Key) -> None:
        if key.method == b"GET":
            self._marks.remove(key.target)

    def statistics(self) -> dict[str, float]:
        return {"entries": self._entries, "bytes": self._bytes, "evictions": self._evictions, "errors": 0}

    def _within(self, api: str | None, tenant: str | None) -> Iterator[_Primary]:
        for scope, primaries in self._scopes.items():
            if api in (None, scope[0]) and tenant in (None, scope[1]):
                yield from primaries

    def _store(self, primary: _Primary, stored: _Object) -> bool:
        """In the place of what it replaces; what was used longest ago makes room, if that can be enough."""
        replaced = primary.of(stored.variant) if primary.objects else None
        if replaced is not None:
            self._drop(replaced)
        size = stored.size
        if size > self._limit:
            return False
        while len(primary.objects) >= MOST_VARIANTS:
            self._evict(primary.objects[0])
        while self._bytes + size > self._limit:
            self._evict(self._ring.newer)
        # Dropping its last variant takes a primary key out: put it back under the one that is being added.
        if primary.digest not in self._primaries:
            self._primaries[primary.digest] = primary
            target = primary.target
            if target is not None:
                self._marks.add(target)
        self._scopes.setdefault(primary.scope, set()).add(primary)
        primary.objects = (*primary.objects, stored)
        self._link(stored)
        self._bytes += size
        self._entries += 1
        return True

    def _evict(self, stored: _Object) -> None:
        self._evictions += 1
        self._drop(stored)

    def _drop(self, stored: _Object) -> None:
        primary = stored.primary
        primary.objects = tuple(other for other in primary.objects if other is not stored)
        stored.newer.older, stored.older.newer = stored.older, stored.newer
        self._bytes -= stored.size
        self._entries -= 1
        if not primary.objects:
            self._forget(primary)

    def _drop_all(self, primary: _Primary) -> None:
        for stored in primary.objects:
            self._drop(stored)

    def _forget(self, primary: _Primary) -> None:
        del self._primaries[primary.digest]
        if primary.target is not None:
            self._marks.remove(primary.target)
        scope = self._scopes[primary.scope]
        scope.discard(primary)
        if not scope:
            del self._scopes[primary.scope]

    def _use(self, stored: _Object) -> None:
        stored.newer.older, stored.older.newer = stored.older, stored.newer
        self._link(stored)

    def _link(self, stored: _Object) -> None:
        ring = self._ring
        last = ring.older
        stored.older, stored.newer = last, ring
        last.newer = ring.older = stored


classImplements(MemoryStore, ICacheStore)
