"""An answer that others may have too, on its way into the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from attrs import frozen

from ...bodies import BytesBody, Collector, Tap, at_hand
from ...core.caching import status
from ...core.caching.answer import answer
from ...core.caching.content import content_of_pieces
from ...core.caching.key import cache_key_from_request_with_vary
from ...core.caching.reuse import SERVED, reuse_of
from ...core.caching.storing import Stored, is_complete_stream, is_stream, retention
from ...message import ApiResponse
from .request import tell_details
from .sharing import SharedBody

if TYPE_CHECKING:
    from twisted.web.iweb import IBodyProducer

    from ...core.caching.content import Content
    from ...message import Field, Record
    from .cache import Cache
    from .lookup import Lookup

_TAIL = 8192
"""Bytes of a stream's end in which its last event is looked for."""


@frozen
class Again:
    """
    What there is for somebody who must look elsewhere.

    @ivar names: by what the answer varies, if that is why.
    @ivar alone: it makes no sense to wait for another one.
    """

    names: tuple[bytes, ...] | None = None
    alone: bool = False


class Filling:
    """
    It is stored while it flows: whoever reads it reads it from its beginning, as long as all of it is kept.

    @param leader: whose request brought it.
    @param record: of the call to upstream; what it cost is told to the first who is still reading.
    @param delivered: called when nobody who comes later can have it of us any more: the store has it, or never will.
    @param since: what the store said as the request left.
    @ivar reading: who has it.
    """

    def __init__(
        self,
        cache: Cache,
        leader: Lookup,
        stored: Stored,
        record: Record,
        delivered: Callable[[], object],
        since: bytes | None,
    ) -> None:
        self._cache = cache
        self._leader = leader
        self._stored = stored
        self._record = record
        self._delivered = delivered
        self._since = since
        self._shared: SharedBody | None = None
        self._content: Content | None = None
        self._wanted = True
        self._validated = False
        self.reading: list[Lookup] = []

    def load(self, body: IBodyProducer | None) -> None:
        """Take what came with the head; C{body} is None where the message has no content."""
        if body is None or at_hand(body):
            content = b"" if body is None else content_of(body)
            self.note_details()
            self._content = content
            self._keep(content)
        else:
            watched = Tap(body, None, self.note_details)
            limit = self._cache.largest(self._leader.settings)
            self._shared = SharedBody(self._cache.clock, watched, limit, self._cache.budget, self._kept)

    def load_known(self, content: Content) -> None:
        """It was stored already, and has been found to be still good."""
        self._validated = True
        self._content = content

    def run(self) -> None:
        """Have it stored though nobody reads it."""
        if self._shared is not None:
            self._shared.run()

    def doubt(self) -> None:
        """Do not store it."""
        self._wanted = False

    def is_stuck(self, now: float, wait: float) -> bool:
        """Whether upstream has said nothing for so many seconds, though somebody reads."""
        return self._shared is not None and self._shared.is_stuck(now - wait)

    # -- who gets it

    def for_leader(self, response: ApiResponse) -> ApiResponse:
        """The response that came, with all that is its receiver's own."""
        response.fields = [*response.fields, self.told(self._leader, stored=self._wanted)]
        if self._shared is not None:
            response.body = self._reader(self._shared, self._leader)
        elif response.body is not None:
            response.body = Copied(bytes(self._content or b""), response.body)
        return response

    def for_validator(self) -> ApiResponse:
        """What was stored already, for the one who had it validated."""
        return self._leader.answer(self._stored.entry, self._content or b"", self.told(self._leader))

    def for_another(self, query: Lookup) -> ApiResponse | Again:
        """What somebody gets who has waited, or has come while it flows."""
        stored = self._stored
        own = cache_key_from_request_with_vary(self._leader.request, stored.names)
        if cache_key_from_request_with_vary(query.request, stored.names) != own:
            return Again(stored.names)
        now = self._cache.seconds()
        if reuse_of(stored.entry, query.asked, now) not in SERVED:
            return Again(alone=True)
        told = self.told(query, collapsed=True)
        if self._content is not None:
            brought = query.answer(stored.entry, self._content, told)
        elif self._shared is not None and self._shared.joinable:
            made = answer(stored.entry, query.asked, now, told)
            brought = ApiResponse(made.status, made.reason, made.fields, self._reader(self._shared, query))
        else:
            return Again()
        self._cache.collapsed += 1
        return brought

    def told(self, query: Lookup, *, stored: bool = False, collapsed: bool = False) -> Field:
        return status.forwarded(
            query.reason,
            status=304 if self._validated else None,
            ttl=self._stored.entry.fresh_for(self._cache.seconds()),
            stored=stored,
            collapsed=collapsed,
            key=query.shown_key(),
        )

    def _reader(self, shared: SharedBody, query: Lookup) -> IBodyProducer:
        if query not in self.reading:
            self.reading.append(query)
        return Tap(shared.reader(), None, lambda _: self._read(query))

    def _read(self, query: Lookup) -> None:
        if query in self.reading:
            self.reading.remove(query)

    def note_details(self, _: object = None) -> None:
        """Tell the first who is still there what was found out of the answer on its way."""
        if self.reading:
            tell_details(self._record, self.reading[0])

    # -- into the store

    def _kept(self, chunks: list[bytes] | None) -> None:
        if chunks is None:
            self._delivered()
            return
        # Whoever comes before the store has it still gets it of us.
        self._content = content_of_pieces(chunks) if chunks else b""
        self._keep(self._content)

    def _keep(self, content: Content) -> None:
        stored, leader = self._stored, self._leader
        entry = msgspec.structs.replace(stored.entry, size=len(content))
        self._stored = Stored(entry, stored.names)
        seconds = retention(entry, self._cache.seconds(), leader.settings)
        if not self._wanted or self._is_cut(content) or seconds <= 0:
            self._delivered()
            return
        putting = self._cache.store.put(leader.key, stored.names, leader.select, entry, content, seconds, self._since)
        putting.addCallback(self._put)

    def _is_cut(self, content: Content) -> bool:
        """Whether it is an event stream without its end."""
        if not is_stream(self._stored.entry.fields):
            return False
        return not is_complete_stream(bytes(content[-_TAIL:]), self._leader.request.route.api.dialect)

    def _put(self, kept: bool) -> None:
        self._cache.counts["store"] += kept
        self._delivered()


class Copied(BytesBody):
    """What was at hand, framed as it came: an answer in chunks has no length for the one who fetched it."""

    def __init__(self, content: bytes, body: IBodyProducer) -> None:
        super().__init__(content)
        self.length = body.length


def content_of(body: IBodyProducer) -> bytes:
    """All of a body that is at hand."""
    if isinstance(body, BytesBody):
        return body.take()
    collector = Collector(body.length if isinstance(body.length, int) else 1 << 62)
    body.startProducing(collector)
    return b"".join(collector.chunks)


def drop(body: IBodyProducer | None) -> None:
    """What is dropped is stopped, or read to its end if that is here already."""
    if body is None:
        return
    if at_hand(body):
        content_of(body)
    else:
        body.stopProducing()
