"""Interfaces of cache stores and of their statistics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from ..core.caching.content import Content
    from ..core.caching.entry import Entry, Found
    from ..core.caching.key import Key

Select = Callable[[tuple[bytes, ...]], bytes]
"""Names a variant: from the field names that C{Vary} lists to a secondary key of at most 16 bytes."""


class ICacheStore(Interface):
    """
    Stored responses, by primary key, and below it by variant.

    One list of names tells the variants of a primary key apart: the union of what C{Vary} listed in what
    was stored. When it grows, the variants that were stored by the shorter one are removed.

    A store is a help, never a condition: no Deferred of it fails but that of C{purge}, and C{lookup} fires within a
    twentieth of a second, with C{None} if need be. What it holds is bounded. Each method may be called at any time.
    """

    largest: int = Attribute("bytes of the largest body that it takes")
    complete: bool = Attribute("whether C{found} knows all that is stored, so that C{lookup} need not be asked")

    def start() -> None:
        """Begin: connect, if there is anything to connect to. Nobody waits for it."""

    def stop() -> Deferred[None]:
        """
        Send what is still to be sent, within a lookup's time, and close connections and timers. Nothing is
        found any more.
        """

    def found(key: Key, select: Select) -> Found | None:
        """
        What L{lookup} would fire with, if it is known here and now; C{None} says nothing unless the store is
        C{complete}, and C{lookup} has to be asked.
        """

    def lookup(key: Key, select: Select) -> Deferred[Found | None]:
        """What is stored, fresh or not; C{None} if nothing is."""

    def put(
        key: Key,
        names: tuple[bytes, ...],
        select: Select,
        entry: Entry,
        body: Content,
        seconds: float,
        since: bytes | None = None,
    ) -> Deferred[bool]:
        """
        Store a response for C{seconds} at most, whether it was there or not.

        @param since: what L{expect} said as its request left: what others who share the store removed or purged after
            that is not stored. What this process removes is for the caller to know.
        @return: whether it was stored.
        """

    def heads(key: Key) -> Deferred[list[tuple[bytes, Entry]]]:
        """All variants, without their content."""

    def replace_head(key: Key, found: Found, entry: Entry, seconds: float) -> Deferred[None]:
        """Keep the content that was found under another head; nothing happens if it is gone, or replaced by now."""

    def remove(key: Key) -> Deferred[int]:
        """Remove all variants of one primary key; how many keys went, 0 or 1."""

    def purge(api: str | None, tenant: str | None, start: bytes = b"") -> Deferred[int]:
        """
        Remove the keys whose C{member} begins with C{start}; how many there were.

        Fails with L{llmproxy.errors.Unavailable} if it cannot be done now: who purges has to know.

        @param api: the C{space} of an API, C{None} for all of them; likewise C{tenant}.
        """

    def forget(api: str | None, tenant: str | None, start: bytes = b"") -> int:
        """
        The same for what this process alone holds: another one has purged what is shared. How many keys went for
        good.
        """

    def count() -> Deferred[int | None]:
        """How many primary keys there are, of all who share the store; C{None} if that is not known now."""

    def may_hold(target: bytes | None) -> bool:
        """
        Whether an answer to GET of this target, or of any, may be stored, for whatever API and tenant. It costs next
        to nothing; C{False} only if there is certainly none, nor one that L{expect} was called with.
        """

    def expect(key: Key) -> bytes | None:
        """
        A request leaves for upstream, and what it brings may be stored: until L{settle} is called as often,
        L{may_hold} knows.

        @return: what L{put} is given.
        """

    def settle(key: Key) -> None:
        """What was expected is stored, or never will be."""

    def statistics() -> dict[str, float]:
        """
        What it holds and what it did, in this process: C{entries}, C{bytes}, C{evictions}, C{errors} and
        what else there is to know of its kind.
        """


class ICacheStatsStore(Interface):
    """Where hits are counted for good."""

    def increment_cache_hit_count_batch(counts: dict[str, int]) -> Deferred[None]:
        """Add to the counts of tokens, by their id, all of them or none; unknown ids are ignored."""
