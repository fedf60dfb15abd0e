"""One request on its way to upstream, for the one who sent it and for all who want the same meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...bodies import Tap, at_hand
from ...core.caching import status
from ...core.caching.conditional import can_validate, selected_by
from ...core.caching.key import vary_names
from ...core.caching.reuse import ERRORS, serves_on_error
from ...core.caching.storing import UNDERSTOOD, Request, Stored, freshened, to_store
from ...core.causes import cause_of
from ...errors import BreakerOpen, InternalError, OutOfResources, UpstreamError
from ...message import ApiResponse
from .filling import Again, Copied, Filling, content_of, drop
from .request import request_for, tell_details

_TOGETHER = 0.02
"""Seconds: those whose time ends within it are sent on together."""

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from ...core.caching.entry import Entry, Found
    from ...message import ApiRequest, Fields
    from .cache import Cache
    from .lookup import Lookup


class Fetch:
    """
    It belongs to none of those who wait: whoever leaves stops nobody else, and the last one stops it. It spends
    for the principal, and goes with the fields, of the one who caused it; what it took stands in the record of the
    first who is still there.

    @param query: who caused it.
    @param found: what is stored and stale, or not wanted without being validated.
    @ivar listed: where L{Cache} has it.
    @ivar since: what the store said as it took off.
    """

    _log = Logger()

    def __init__(self, cache: Cache, query: Lookup, found: Found | None) -> None:
        self.key = query.key
        self.listed: bytes | Fetch | None = None
        self.since: bytes | None = None
        self._cache = cache
        self._leader = query
        self._found = found
        self._old: Entry | None = None if found is None else found.entry
        self._validates = self._old is not None and query.content is None and can_validate(self._old)
        self._background = False
        self._doubtful = False
        self._landed = False
        self._responding: Deferred[ApiResponse] | None = None
        self._request_time = self._response_time = 0.0
        self._waiting: list[Lookup] = []
        self._cargo: Filling | None = None
        self._late: IDelayedCall | None = None

    # -- who waits

    def board(self, query: Lookup) -> Deferred[ApiResponse | Again]:
        """
        Wait for what it brings, as long as the request may wait. Fails for the one who caused it alone: all others
        are sent on.
        """
        waiting: Deferred[ApiResponse | Again] = Deferred(lambda _: self._leave(query))
        query.waiting = waiting
        if self._cargo is None:
            self._waiting.append(query)
            if query is not self._leader:
                self._watch(query.until)
        else:
            waiting.callback(self._cargo.for_another(query))
        return waiting

    def take_off(self, *, public: bool) -> None:
        """
        Send the request.

        @param public: others may wait for it.
        """
        self.listed = self._leader.variant if public else self
        self._cache.took_off(self)
        self._request_time = self._cache.seconds()
        self._request = self._outgoing()
        try:
            responding = self._respond(self._request)
        except Exception:
            responding = fail()
        self._responding = responding
        responding.addCallbacks(self._head, self._failed).addErrback(self._broken)

    def go_alone(self) -> None:
        """Send the request, and store what it brings, for nobody who waits."""
        self._background = True
        self.take_off(public=True)

    # -- who waits too long

    def is_stuck(self, now: float) -> bool:
        """Whether it has brought nothing for longer than anybody should wait."""
        wait = self._leader.settings.wait
        if self._cargo is not None:
            return self._cargo.is_stuck(now, wait)
        return now - self._request_time >= wait

    def set_aside(self) -> None:
        """Have nobody else wait for it, nor for the next one of its key."""
        if self.listed is not None:
            self._cache.set_aside(self)
            self._cache.likelihood.note(self.key, self._cache.seconds(), shared=False)

    def _watch(self, until: float) -> None:
        delay = max(0.0, until - self._cache.seconds())
        if self._late is None:
            self._late = self._cache.clock.callLater(delay, self._waited)
        elif delay < self._late.getTime() - self._cache.seconds():
            self._late.reset(delay)

    def _waited(self) -> None:
        """Some have waited long enough: they go by themselves."""
        self._late = None
        self.set_aside()
        now = self._cache.seconds()
        for query in self._waiting[:]:
            if query is not self._leader and query.until <= now + _TOGETHER:
                self._give(query, Again(alone=True))
        later = [query.until for query in self._waiting if query is not self._leader]
        if later:
            self._watch(min(later))
        self._unless_waited_for()

    def _no_late(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.cancel()

    def doubt(self) -> None:
        """What it brings may be outdated: it is not stored, and nobody else gets it."""
        self._doubtful = True
        if self._cargo is not None:
            self._cargo.doubt()
        self._close()

    def _leave(self, query: Lookup) -> None:
        if query in self._waiting:
            self._waiting.remove(query)
        self._unless_waited_for()

    def _unless_waited_for(self) -> None:
        """Stop it if nobody waits any more."""
        if not self._waiting and not self._background and not self._landed:
            self._no_late()
            self._close()
            if self._responding is not None:
                self._responding.cancel()

    def _close(self) -> None:
        if self.listed is not None:
            self._cache.landed(self)
            self.listed = None
        # It knows us: without this both wait for the collector.
        self._cargo = None

    # -- on the way there

    def _respond(self, request: ApiRequest) -> Deferred[ApiResponse]:
        inner = self._leader.inner
        return self._cache.background.respond(request, inner) if self._background else inner(request)

    def _outgoing(self) -> ApiRequest:
        asks_for = self._old if self._validates or self._background else None
        return request_for(self._leader, asks_for, self._interim, self._request_time, background=self._background)

    def _interim(self, status: int, reason: bytes, fields: Fields) -> None:
        on_interim = self._leader.request.on_interim
        if on_interim is not None and self._leader in self._waiting:
            on_interim(status, reason, fields)

    # -- what came

    def _failed(self, reason: Failure) -> None:
        self._land()
        self._close()
        error = reason.value
        if self._waiting:
            # Who gets a stored answer in its place has no error that tells of it.
            self._waiting[0].request.record.cause = cause_of(error) or ""
        if isinstance(error, (UpstreamError, BreakerOpen, OutOfResources)):
            self._serve_stale(None)
        for query in self._waiting[:]:
            # It failed for the one who caused it, whatever the reason: the next one may have more luck.
            self._give(query, Failure(error) if query is self._leader else Again())

    def _broken(self, reason: Failure) -> None:
        self._log.failure("an answer could not be shared", reason)
        self._close()
        for query in self._waiting[:]:
            self._give(query, Failure(InternalError()) if query is self._leader else Again(alone=True))

    def _head(self, response: ApiResponse) -> None:
        self._response_time = self._cache.seconds()
        self._land()
        if self._validates and response.status == 304:
            drop(response.body)
            self._unchanged(self._freshened(response))
            return
        if response.status in ERRORS:
            self._serve_stale(response.status)
        stored = None if self._doubtful else self._to_store(response)
        if stored is None:
            self._unshareable(response)
        else:
            self._shareable(response, stored)

    def _land(self) -> None:
        """Tell the first who is still there what it took."""
        self._landed = True
        self._no_late()
        # It knows us: without this both wait for the collector.
        self._request.on_interim = None
        if self._waiting:
            mine, record = self._request.record, self._waiting[0].request.record
            record.attempts += mine.attempts
            record.upstream_status = mine.upstream_status
            record.upstream_request_id = mine.upstream_request_id
            record.upstream_first_byte = mine.upstream_first_byte

    def _to_store(self, response: ApiResponse) -> Stored | None:
        query = self._leader
        length = 0 if response.body is None else response.body.length
        if response.until_close or (isinstance(length, int) and length > self._cache.largest(query.settings)):
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

    def _unshareable(self, response: ApiResponse) -> None:
        """The one who has caused it gets it, and everybody else asks upstream at once."""
        self._close()
        leader = self._leader
        if response.status in UNDERSTOOD and not leader.asked.control.no_store and not self._doubtful:
            now, kind = self._cache.seconds(), response.status < 400
            self._cache.likelihood.note(self.key, now, shared=False, kind=kind)
            if self._found is not None:
                self._cache.store.remove(self.key)
        if leader in self._waiting:
            self._for_leader_only(response)
        else:
            drop(response.body)
        for query in self._waiting[:]:
            self._give(query, response if query is leader else Again(alone=True))

    def _for_leader_only(self, response: ApiResponse) -> None:
        leader, body, record = self._leader, response.body, self._request.record
        told = status.forwarded(leader.reason, key=leader.shown_key())
        response.fields = [*response.fields, told]
        if body is not None and at_hand(body):
            response.body = Copied(content_of(body), body)
        elif body is not None:
            response.body = Tap(body, None, lambda _: tell_details(record, leader))
        tell_details(record, leader)

    def _shareable(self, response: ApiResponse, stored: Stored) -> None:
        entry = stored.entry
        reusable = entry.fresh_for(self._response_time) > 0 and not entry.always_validate
        self._cache.likelihood.note(self.key, self._response_time, shared=reusable, kind=True)
        waiting = self._waiting[:]
        self._cargo = cargo = Filling(self._cache, self._leader, stored, self._request.record, self._close, self.since)
        cargo.reading = waiting[:]
        cargo.load(response.body)
        # All get their places before the first one reads: it may read it all at once.
        served = [(query, self._share(cargo, query, response)) for query in waiting]
        cargo.reading = [query for query, brought in served if isinstance(brought, ApiResponse)]
        if not cargo.reading:
            cargo.run()
        for query, brought in served:
            self._give(query, brought)

    def _share(self, cargo: Filling, query: Lookup, response: ApiResponse) -> ApiResponse | Again:
        return cargo.for_leader(response) if query is self._leader else cargo.for_another(query)

    # -- what is stored is still good, or has to do

    def _freshened(self, response: ApiResponse) -> Entry | None:
        """
        What is stored, after a 304 (RFC 9111 section 4.3.4).

        @return: C{None} if that does not speak of it, or lets nobody keep it.
        """
        old, leader = self._old, self._leader
        if old is None or self._doubtful or not selected_by(response.fields, [(b"", old)]):
            return None
        entry = freshened(old, response.fields, self._request_time, self._response_time, leader.settings)
        if entry is None or not set(vary_names(entry.fields) or ()).issubset(leader.names):
            return None
        return entry

    def _unchanged(self, entry: Entry | None) -> None:
        found, leader = self._found, self._leader
        if entry is None or found is None:
            self._close()
            self._cache.store.remove(self.key)
            for query in self._waiting[:]:
                self._give(query, Again(alone=True))
            return
        self._cache.revalidated += 1
        cargo = Filling(self._cache, leader, Stored(entry, leader.names), self._request.record, self._close, self.since)
        cargo.load_known(found.body)
        self._cargo = cargo
        leader.freshen(found, entry).addBoth(lambda _: self._close())
        for query in self._waiting[:]:
            self._give(query, cargo.for_validator() if query is leader else cargo.for_another(query))

    def _serve_stale(self, failed_with: int | None) -> None:
        """
        Serve those who may have it what is stored in place of an error of upstream.

        @param failed_with: the status of upstream; C{None} if it gave no answer.
        """
        if self._found is None or self._old is None:
            return
        now = self._cache.seconds()
        ttl = self._old.fresh_for(now)
        for query in self._waiting[:]:
            if serves_on_error(self._old, query.asked, now, disconnected=failed_with is None):
                told = status.forwarded(query.reason, status=failed_with, ttl=ttl, key=query.shown_key())
                self._give(query, query.answer(self._old, self._found.body, told))

    # -- telling

    def _give(self, query: Lookup, brought: ApiResponse | Again | Failure) -> None:
        if query in self._waiting:
            self._waiting.remove(query)
        waiting = query.waiting
        if waiting is not None and not waiting.called:
            waiting.callback(brought)
        elif isinstance(brought, ApiResponse):
            drop(brought.body)
