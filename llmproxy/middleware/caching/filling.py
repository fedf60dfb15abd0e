"""A filling: a response that others may have too, on its way into the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from ...bodies import BytesBody, Collector, Tap, at_hand
from ...core.caching import status
from ...core.caching.answer import answer
from ...core.caching.content import content_of_pieces
from ...core.caching.entry import Used
from ...core.caching.reuse import SERVED, reuse_of
from ...core.caching.storing import Stored, is_complete_stream, retention
from ...message import ApiResponse
from ...providers.registry import last_events
from .request import Again
from .sharing import SharedBody

if TYPE_CHECKING:
    from twisted.web.iweb import IBodyProducer

    from ...core.caching.content import Content
    from ...message import Field, Record
    from .request import CacheRequest
    from .state import CacheState

_TAIL = 8192
"""Bytes of a stream's end in which its last event is looked for."""


class Filling:
    """
    It is stored while it flows: each reader reads it from its beginning, as long as all of it is kept.

    @param leader: the request that brought it.
    @param record: of the call to upstream; what it cost stands in that of the first that is still reading.
    @param since: what the store said as the request left.
    @param ended: called when nobody who comes later can have it from here any more: with C{True} if the store has it,
        C{False} if it never will.
    """

    def __init__(
        self,
        state: CacheState,
        leader: CacheRequest,
        stored: Stored,
        record: Record,
        since: bytes | None,
        ended: Callable[[bool], object],
    ) -> None:
        self._state = state
        self._leader = leader
        self._stored = stored
        self._entry = stored.entry
        self._record = record
        self._since = since
        self._ended = ended
        self._shared: SharedBody | None = None
        self._content: Content | None = None
        self._wanted = True
        self._validated = False
        self._reading: list[CacheRequest] = []

    def begin(self, response: ApiResponse, callers: list[CacheRequest]) -> list[ApiResponse | Again]:
        """
        Take what came with the head.

        @param callers: those who wait for it; if there are none it is read all the same.
        @return: what each of them gets. All have their places before the first one reads: it may read it all at once.
        """
        self._reading = callers[:]
        self._take(response.body)
        leader = self._leader
        brought = [self._for_leader(response) if each is leader else self.for_another(each) for each in callers]
        self._reading = [each for each, what in zip(callers, brought, strict=True) if isinstance(what, ApiResponse)]
        if not self._reading and self._shared is not None:
            self._shared.run()
        return brought

    def begin_known(self, content: Content) -> None:
        """It was stored already, and has been found to be still good."""
        self._validated = True
        self._content = content

    def doubt(self) -> None:
        """Do not store it."""
        self._wanted = False

    def is_stuck(self, now: float, wait: float) -> bool:
        """Whether upstream has said nothing for so many seconds, though somebody reads."""
        return self._shared is not None and self._shared.is_stuck(now - wait)

    def _take(self, body: IBodyProducer | None) -> None:
        if body is None or isinstance(body, BytesBody) or at_hand(body):
            content = b"" if body is None else body.take() if isinstance(body, BytesBody) else content_of(body)
            record = self._record
            if record.details or record.usage is not None or record.answer_id:
                self._note_details()
            self._content = content
            self._keep(content, self._stored.seconds)
            return
        state = self._state
        limit = min(self._leader.settings.max_object, state.store.largest)
        watched = Tap(body, None, self._note_details)
        self._shared = SharedBody(state.clock, watched, limit, state.budget, self._kept)

    # -- what each gets

    def _for_leader(self, response: ApiResponse) -> ApiResponse:
        """The response that came, with all that is its receiver's own."""
        response.fields = [*response.fields, self._member(self._leader, stored=self._wanted)]
        if self._shared is not None:
            response.body = self._reader(self._shared, self._leader)
        elif response.body is not None and not isinstance(response.body, BytesBody):
            # Framed as it came: one in chunks has no length for the client either.
            response.body = BytesBody(bytes(self._content or b""), response.body.length)
        return response

    def for_validator(self) -> ApiResponse:
        """What was stored already, for the request that had it validated."""
        return self._whole(self._leader, self._content or b"", self._member(self._leader))

    def for_another(self, caller: CacheRequest) -> ApiResponse | Again:
        """What a request gets that has waited, or has come while it flows."""
        stored = self._stored
        if caller.variant_of(stored.names) != self._leader.variant_of(stored.names):
            return Again(stored.names)
        now = self._state.seconds()
        if reuse_of(self._entry, caller.asked, now) not in SERVED:
            return Again(alone=True)
        member = self._member(caller, collapsed=True)
        if self._content is not None:
            brought = self._whole(caller, self._content, member)
        elif self._shared is not None and self._shared.joinable:
            made = answer(self._entry, caller.asked, now, member)
            brought = ApiResponse(made.status, made.reason, made.fields, self._reader(self._shared, caller))
        else:
            return Again()
        self._state.note_collapsed()
        caller.shares()
        return brought

    def _whole(self, caller: CacheRequest, content: Content, member: Field) -> ApiResponse:
        state = self._state
        return caller.answer(state.clock, state.seconds(), self._entry, content, member)

    def _member(self, caller: CacheRequest, *, stored: bool = False, collapsed: bool = False) -> Field:
        return status.forwarded(
            caller.reason,
            status=304 if self._validated else None,
            ttl=self._entry.fresh_for(self._state.seconds()),
            stored=stored,
            collapsed=collapsed,
            key=caller.shown_key,
        )

    def _reader(self, shared: SharedBody, caller: CacheRequest) -> IBodyProducer:
        if caller not in self._reading:
            self._reading.append(caller)
        return Tap(shared.reader(), None, lambda _: self._read(caller))

    def _read(self, caller: CacheRequest) -> None:
        if caller in self._reading:
            self._reading.remove(caller)

    def _note_details(self, _: object = None) -> None:
        """
        The first that is still there learns what was found out of the response on its way: it has used that, and all
        others have saved it.
        """
        for number, caller in enumerate(self._reading):
            if number == 0:
                caller.add_details(self._record)
            else:
                caller.saves(Used.of(self._record.usage))

    # -- into the store

    def _kept(self, chunks: list[bytes] | None) -> None:
        if chunks is None:
            self._ended(False)
            return
        # A request that comes before the store has it still gets it from here.
        self._content = content_of_pieces(chunks) if chunks else b""
        self._keep(self._content, retention(self._entry, self._state.seconds(), self._leader.settings))

    def _keep(self, content: Content, seconds: float) -> None:
        """
        @param seconds: for how long it can be of any use from now on.
        """
        stored, leader, state = self._stored, self._leader, self._state
        usage = self._record.usage
        used = None if usage is None else Used.of(usage)
        self._entry = entry = msgspec.structs.replace(stored.entry, size=len(content), used=used)
        if not self._wanted or (stored.stream and self._is_cut(content)) or seconds <= 0:
            self._ended(False)
            return
        putting = state.store.put(leader.key, stored.names, leader.variant_of, entry, content, seconds, self._since)
        putting.addCallback(self._ended)

    def _is_cut(self, content: Content) -> bool:
        """Whether an event stream came without its end."""
        return not is_complete_stream(bytes(content[-_TAIL:]), last_events(self._leader.request.route.api.dialect))


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
