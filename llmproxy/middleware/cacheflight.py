"""One request on its way to upstream, for the one who sent it and for all who want the same meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from attrs import frozen
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..bodies import BytesBody, Collector, Tap, at_hand
from ..core.caching import status
from ..core.caching.answer import answer
from ..core.caching.conditional import can_validate, selected_by, validating
from ..core.caching.key import cache_key_from_request_with_vary, vary_names
from ..core.caching.reuse import ERRORS, SERVED, reuse_of, serves_on_error
from ..core.caching.storing import (
    UNDERSTOOD,
    Request,
    Stored,
    freshened,
    is_complete_stream,
    is_stream,
    retention,
    to_store,
)
from ..errors import BreakerOpen, InternalError, UpstreamError
from ..message import ApiRequest, ApiResponse, Record
from .sharing import SharedBody

if TYPE_CHECKING:
    from twisted.web.iweb import IBodyProducer

    from ..core.caching.entry import Found
    from ..message import Field, Fields
    from .cache import Cache
    from .cachequery import Query

_TAIL = 8192
"""Bytes of a stream's end in which its last event is looked for."""


@frozen
class Again:
    """
    What a flight has for somebody who must look elsewhere.

    @ivar names: by what the answer varies, if that is why.
    @ivar alone: it makes no sense to wait for another one.
    """

    names: tuple[bytes, ...] | None = None
    alone: bool = False


class Flight:
    """
    It belongs to none of those who wait: whoever leaves stops nobody else, and the last one stops it. It spends
    for the principal, and with the fields, of the one who caused it; what it cost stands in the record of the
    first who is still there.

    @param query: who caused it.
    @param found: what is stored and stale, or not wanted without being validated.
    @ivar variant: with C{key}, what those who wait are found by.
    """

    _log = Logger()

    def __init__(self, cache: Cache, query: Query, found: Found | None) -> None:
        self.key = query.key
        self.variant = query.variant
        self._cache = cache
        self._leader = query
        self._inner = query.inner
        self._found = found
        self._old = None if found is None else found.entry
        self._validates = self._old is not None and query.content is None and can_validate(self._old)
        self._background = False
        self._public = False
        self._doubtful = False
        self._landed = False
        self._responding: Deferred[ApiResponse] | None = None
        self._request_time = self._response_time = 0.0
        self._waiting: list[Query] = []
        self._reading: list[Query] = []
        self._stored: Stored | None = None
        self._shared: SharedBody | None = None
        self._content: bytes | None = None
        self._validated = False

    # -- who waits

    def board(self, query: Query) -> Deferred[ApiResponse | Again]:
        """
        Wait for what it brings. Fails with the fault of upstream, or for the one who caused it, with any other too.
        """
        waiting: Deferred[ApiResponse | Again] = Deferred(lambda _: self._leave(query))
        query.waiting = waiting
        if self._stored is None:
            self._waiting.append(query)
        else:
            waiting.callback(self._for_another(query))
        return waiting

    def take_off(self, *, public: bool) -> None:
        """
        Send the request.

        @param public: others may wait for it.
        """
        if public:
            self._public = True
            self._cache.took_off(self)
        self._request_time = self._cache.seconds()
        self._request = self._outgoing()
        try:
            responding = self._inner(self._request)
        except Exception:
            responding = fail()
        self._responding = responding
        responding.addCallbacks(self._head, self._failed).addErrback(self._broken)

    def go_alone(self) -> None:
        """Send the request, and store what it brings, for nobody who waits."""
        self._background = True
        inner, background = self._inner, self._cache.background
        self._inner = lambda request: background.respond(request, inner)
        self.take_off(public=True)

    def doubt(self) -> None:
        """What it brings may be outdated: it is not stored, and nobody else gets it."""
        self._doubtful = True
        self._close()

    def _leave(self, query: Query) -> None:
        if query in self._waiting:
            self._waiting.remove(query)
        if not self._waiting and not self._background and not self._landed:
            self._close()
            if self._responding is not None:
                self._responding.cancel()

    def _close(self) -> None:
        if self._public:
            self._public = False
            self._cache.landed(self)

    # -- on the way there

    def _outgoing(self) -> ApiRequest:
        """A request of its own: what is further in changes it, and writes into its record."""
        query = self._leader
        asked = query.request
        known = asked.record
        record = Record(known.request_id, known.method, known.path, known.client, self._request_time, known.user_agent)
        record.api, record.endpoint = known.api, known.endpoint
        record.project_id, record.token_id = known.project_id, known.token_id
        if self._background:
            record.method, record.details = "GET", {"background": "revalidation"}
        fields = asked.fields
        if self._old is not None and (self._validates or self._background):
            fields = validating(fields, self._old)
        request = ApiRequest(
            self.key.method,
            asked.target,
            fields,
            BytesBody(query.content) if query.content else None,
            record,
            asked.version,
            asked.client,
            asked.secure,
            self._interim if asked.on_interim is not None else None,
        )
        request.route = asked.route
        request.principal = asked.principal
        return request

    def _interim(self, status: int, reason: bytes, fields: Fields) -> None:
        on_interim = self._leader.request.on_interim
        if on_interim is not None and self._leader in self._waiting:
            on_interim(status, reason, fields)

    # -- what came

    def _failed(self, reason: Failure) -> None:
        self._land()
        error = reason.value
        if isinstance(error, (UpstreamError, BreakerOpen)):
            self._serve_stale(None)
        for query in self._take_waiting():
            if query is self._leader or isinstance(error, UpstreamError):
                self._fire(query, Failure(error))
            else:
                # It may have been the quota or the key of the one who has caused it.
                self._fire(query, Again())

    def _broken(self, reason: Failure) -> None:
        self._log.failure("an answer could not be shared", reason)
        self._close()
        for query in self._take_waiting():
            self._fire(query, Failure(InternalError()))

    def _head(self, response: ApiResponse) -> None:
        self._response_time = self._cache.seconds()
        self._note()
        if self._validates and response.status == 304:
            self._unchanged(response)
            return
        if response.status in ERRORS:
            self._serve_stale(response.status)
        self._stored = None if self._doubtful else self._to_store(response)
        if self._stored is None:
            self._unshareable(response)
        else:
            self._shareable(response, self._stored)

    def _land(self) -> None:
        self._landed = True
        self._note()
        self._close()

    def _note(self) -> None:
        """Tell the first who is still there what it took."""
        self._landed = True
        if self._waiting:
            mine, record = self._request.record, self._waiting[0].request.record
            record.attempts += mine.attempts
            record.upstream_status = mine.upstream_status
            record.upstream_first_byte = mine.upstream_first_byte

    def _note_details(self, _: object = None) -> None:
        details = self._request.record.details
        if details and self._reading:
            record = self._reading[0].request.record
            record.details = {**(record.details or {}), **details}

    def _to_store(self, response: ApiResponse) -> Stored | None:
        query = self._leader
        body = response.body
        if response.until_close or (
            body is not None and isinstance(body.length, int) and body.length > query.settings.max_object
        ):
            return None
        return to_store(
            Request(query.asked.control, query.lifetime),
            response.status,
            response.reason,
            response.fields,
            self._request_time,
            self._response_time,
            query.settings,
        )

    # -- it is for one only

    def _unshareable(self, response: ApiResponse) -> None:
        """The one who has caused it gets it, and everybody else asks upstream at once."""
        self._close()
        leader = self._leader
        if response.status in UNDERSTOOD and not leader.asked.control.no_store:
            self._cache.remember(self.key, shareable=False)
            if self._found is not None:
                self._cache.store.remove(self.key)
        waiting = self._take_waiting()
        if leader in waiting:
            self._reading = [leader]
            response.fields = [*response.fields, self._told(leader)]
            response.body = self._watched(response.body)
        else:
            _drop(response.body)
        for query in waiting:
            self._fire(query, response if query is leader else Again(alone=True))

    def _watched(self, body: IBodyProducer | None) -> IBodyProducer | None:
        if body is None:
            return None
        if not at_hand(body):
            return Tap(body, None, self._note_details)
        content = _content(body)
        self._note_details()
        return BytesBody(content)

    # -- it is for all

    def _shareable(self, response: ApiResponse, stored: Stored) -> None:
        reusable = stored.entry.fresh_for(self._response_time) > 0 and not stored.entry.always_validate
        self._cache.remember(self.key, shareable=reusable)
        body = response.body
        self._reading = list(self._waiting)
        if body is None or at_hand(body):
            content = b"" if body is None else _content(body)
            self._note_details()
            self._complete(content)
            if body is not None:
                response.body = BytesBody(content)
        else:
            self._shared = SharedBody(
                self._cache.clock,
                Tap(body, None, self._note_details),
                self._leader.settings.max_object,
                self._cache.budget,
                self._kept,
            )
        # All get their places before the first one reads: it may read it all at once.
        served = [
            (query, self._for_leader(response) if query is self._leader else self._for_another(query))
            for query in self._take_waiting()
        ]
        self._reading = [query for query, brought in served if isinstance(brought, ApiResponse)]
        if self._shared is not None and (self._background or not self._reading):
            self._shared.run()
        for query, brought in served:
            self._fire(query, brought)

    def _for_leader(self, response: ApiResponse) -> ApiResponse:
        response.fields = [*response.fields, self._told(self._leader, stored=True)]
        if self._shared is not None:
            response.body = self._reader(self._shared, self._leader)
        return response

    def _for_another(self, query: Query) -> ApiResponse | Again:
        """What somebody gets who has waited, or has come while it flows."""
        stored = self._stored
        assert stored is not None
        own = cache_key_from_request_with_vary(self._leader.request, stored.names)
        if cache_key_from_request_with_vary(query.request, stored.names) != own:
            return Again(stored.names)
        if reuse_of(stored.entry, query.asked, self._cache.seconds()) not in SERVED:
            return Again(alone=True)
        told = self._told(query, collapsed=True)
        if self._content is not None:
            brought = query.answer(stored.entry, self._content, told)
        elif self._shared is not None and self._shared.joinable:
            made = answer(stored.entry, query.asked, self._cache.seconds(), told)
            self._reading.append(query)
            brought = ApiResponse(made.status, made.reason, made.fields, self._reader(self._shared, query))
        else:
            return Again()
        self._cache.collapsed += 1
        return brought

    def _reader(self, shared: SharedBody, query: Query) -> IBodyProducer:
        return Tap(shared.reader(), None, lambda _: self._read(query))

    def _read(self, query: Query) -> None:
        if query in self._reading:
            self._reading.remove(query)

    def _told(self, query: Query, *, stored: bool = False, collapsed: bool = False) -> Field:
        return status.forwarded(
            query.reason,
            status=304 if self._validated else None,
            ttl=None if self._stored is None else self._stored.entry.fresh_for(self._cache.seconds()),
            stored=stored,
            collapsed=collapsed,
            key=query.shown_key(),
        )

    # -- into the store

    def _kept(self, chunks: list[bytes] | None) -> None:
        if chunks is None:
            self._close()
        else:
            self._complete(b"".join(chunks))

    def _complete(self, content: bytes) -> None:
        """All of it is here: whoever comes now gets it of us, until the store has it."""
        stored, leader = self._stored, self._leader
        assert stored is not None
        entry = msgspec.structs.replace(stored.entry, size=len(content))
        seconds = retention(entry, self._cache.seconds(), leader.settings)
        cut = is_stream(entry.fields) and not is_complete_stream(content[-_TAIL:], leader.request.route.api.dialect)
        if self._doubtful or cut or seconds <= 0:
            self._close()
            return
        self._stored = Stored(entry, stored.names)
        self._content = content
        putting = self._cache.store.put(self.key, stored.names, leader.select, entry, content, seconds)
        putting.addCallback(self._put).addErrback(self._broken)

    def _put(self, kept: bool) -> None:
        self._cache.counts["store"] += kept
        self._close()

    # -- what is stored is still good, or has to do

    def _unchanged(self, response: ApiResponse) -> None:
        """A 304 to the question whether what is stored is still good, RFC 9111 section 4.3.4."""
        found, old, leader = self._found, self._old, self._leader
        assert found is not None and old is not None
        _drop(response.body)
        entry = None
        if selected_by(response.fields, [(b"", old)]):
            entry = freshened(old, response.fields, self._request_time, self._response_time, leader.settings)
        if self._doubtful or entry is None or not set(vary_names(entry.fields) or ()).issubset(leader.names):
            # It does not speak of what is stored, or what it says of it lets nobody keep it.
            self._close()
            self._cache.store.remove(self.key)
            for query in self._take_waiting():
                self._fire(query, Again(alone=True))
            return
        self._cache.revalidated += 1
        self._validated = True
        self._stored, self._content = Stored(entry, leader.names), found.body
        leader.freshen(found, entry).addBoth(lambda _: self._close())
        for query in self._take_waiting():
            first = query is leader
            self._fire(query, query.answer(entry, found.body, self._told(query)) if first else self._for_another(query))

    def _serve_stale(self, failed_with: int | None) -> None:
        """Serve those who may have it what is stored in place of an error of upstream, RFC 5861 section 4."""
        if self._found is None or self._old is None:
            return
        entry, now = self._old, self._cache.seconds()
        for query in self._waiting[:]:
            if serves_on_error(entry, query.asked, now):
                self._waiting.remove(query)
                told = status.forwarded(
                    query.reason, status=failed_with, ttl=entry.fresh_for(now), key=query.shown_key()
                )
                self._fire(query, query.answer(entry, self._found.body, told))

    # -- telling

    def _take_waiting(self) -> list[Query]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def _fire(self, query: Query, brought: ApiResponse | Again | Failure) -> None:
        waiting = query.waiting
        if waiting is not None and not waiting.called:
            waiting.callback(brought)
        elif isinstance(brought, ApiResponse):
            _drop(brought.body)


def _content(body: IBodyProducer) -> bytes:
    """All of a body that is at hand."""
    collector = Collector(body.length if isinstance(body.length, int) else 1 << 62)
    body.startProducing(collector)
    return b"".join(collector.chunks)


def _drop(body: IBodyProducer | None) -> None:
    """What is dropped is stopped, or read to its end if that is here already."""
    if body is not None and at_hand(body):
        _content(body)
    elif body is not None:
        body.stopProducing()
