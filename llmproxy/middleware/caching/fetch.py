"""A fetch: one request on its way to upstream, for the one that caused it and for all that join it meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...bodies import BytesBody, Tap, at_hand
from ...core.caching import status
from ...core.caching.conditional import can_validate, selected_by
from ...core.caching.key import vary_names
from ...core.caching.reuse import ERRORS, serves_on_error
from ...core.caching.storing import UNDERSTOOD, Request, Stored, freshened, to_store
from ...core.causes import cause_of
from ...errors import BreakerOpen, InternalError, OutOfResources, UpstreamError
from ...message import ApiResponse
from .filling import Filling, content_of, drop
from .request import Again

_TOGETHER = 0.02
"""Seconds: those whose time ends within it are sent on together."""

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from ...core.caching.entry import Entry, Found
    from ...message import ApiRequest, Fields
    from .request import CacheRequest
    from .state import CacheState, Place

Waiting = Deferred[ApiResponse | Again]
"""Of one request: what the fetch brings for it."""


class Fetch:
    """
    It belongs to none of those who wait: one that leaves stops no other, and the last one stops it. It spends
    for the principal, and goes with the fields, of the one that caused it; what it took stands in the record of the
    first that is still there.

    @param leader: the request that caused it.
    @param found: what is stored and stale, or not wanted without being validated.
    """

    _log = Logger()

    def __init__(self, state: CacheState, leader: CacheRequest, found: Found | None) -> None:
        self.key = leader.key
        self._state = state
        self._leader = leader
        self._found = found
        self._old: Entry | None = None if found is None else found.entry
        self._validates = self._old is not None and leader.content is None and can_validate(self._old)
        self._background = False
        self._doubtful = False
        self._answered = False
        self._place: Place | None = None
        self._since: bytes | None = None
        self._responding: Deferred[ApiResponse] | None = None
        self._request_time = self._response_time = 0.0
        # In the order in which they came. The one that caused it has no time to wait until.
        self._waiting: dict[Waiting, CacheRequest] = {}
        self._until: dict[Waiting, float] = {}
        self._filling: Filling | None = None
        self._late: IDelayedCall | None = None

    # -- those who wait

    def join(self, caller: CacheRequest, until: float = 0.0) -> Waiting:
        """
        Wait for what it brings. Fails for the one that caused it alone: all others are sent on.

        @param until: how long the request may wait, in seconds since the epoch; the one that caused it waits on.
        """
        waiting: Waiting = Deferred(self._leave)
        if self._filling is not None:
            waiting.callback(self._filling.for_another(caller))
            return waiting
        self._waiting[waiting] = caller
        if caller is not self._leader:
            self._until[waiting] = until
            self._watch(until)
        return waiting

    def start(self, *, public: bool) -> None:
        """
        Send the request.

        @param public: others may join.
        """
        state, leader = self._state, self._leader
        self._place = leader.variant if public else self
        self._since = state.started(self, self._place)
        self._request_time = now = state.seconds()
        asks_for = self._old if self._validates or self._background else None
        self._request = request = leader.outgoing(asks_for, self._interim, now, background=self._background)
        try:
            self._responding = responding = self._respond(request) if self._background else leader.inner(request)
        except Exception:
            self._responding = responding = fail()
        responding.addCallbacks(self._head, self._failed).addErrback(self._broken)

    def start_in_background(self) -> None:
        """Send the request, and store what it brings, for nobody who waits."""
        self._background = True
        self.start(public=True)

    def _respond(self, request: ApiRequest) -> Deferred[ApiResponse]:
        return self._state.background.respond(request, self._leader.inner)

    # -- those who wait too long

    def is_stuck(self, now: float) -> bool:
        """Whether it has brought nothing for longer than anybody should wait."""
        wait = self._leader.settings.wait
        if self._filling is not None:
            return self._filling.is_stuck(now, wait)
        return now - self._request_time >= wait

    def set_aside(self) -> None:
        """Have nobody else wait for it, nor for the next one of its key."""
        if self._place is not None:
            self._place = self._state.moved(self, self._place)
            self._state.likelihood.note(self.key, self._state.seconds(), shared=False)

    def _watch(self, until: float) -> None:
        delay = max(0.0, until - self._state.seconds())
        if self._late is None:
            self._late = self._state.clock.callLater(delay, self._waited)
        elif delay < self._late.getTime() - self._state.seconds():
            self._late.reset(delay)

    def _waited(self) -> None:
        """Some have waited long enough: they go by themselves."""
        self._late = None
        self.set_aside()
        now = self._state.seconds()
        for waiting, until in list(self._until.items()):
            if until <= now + _TOGETHER:
                self._give(waiting, Again(alone=True))
        if self._until:
            self._watch(min(self._until.values()))
        self._unless_waited_for()

    def _no_late(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.cancel()

    def doubt(self) -> None:
        """What it brings may be outdated: it is not stored, and nobody else gets it."""
        self._doubtful = True
        if self._filling is not None:
            self._filling.doubt()
        self._close()

    def _leave(self, waiting: Waiting) -> None:
        self._waiting.pop(waiting, None)
        self._until.pop(waiting, None)
        self._unless_waited_for()

    def _unless_waited_for(self) -> None:
        """Stop it if nobody waits any more."""
        if not self._waiting and not self._background and not self._answered:
            self._no_late()
            self._close()
            if self._responding is not None:
                self._responding.cancel()

    def _close(self, stored: bool = False) -> None:
        place, self._place = self._place, None
        if place is not None:
            self._state.finished(self, place)
        if stored:
            self._state.note_stored()
        # Break the reference cycle.
        self._filling = None

    def _interim(self, status: int, reason: bytes, fields: Fields) -> None:
        on_interim = self._leader.request.on_interim
        if on_interim is not None and self._leader in self._waiting.values():
            on_interim(status, reason, fields)

    # -- what came

    def _failed(self, reason: Failure) -> None:
        self._end_request()
        self._close()
        error = reason.value
        for caller in self._waiting.values():
            # A request that gets a stored answer in its place has no error that tells of it.
            caller.request.record.cause = cause_of(error) or ""
            break
        if isinstance(error, (UpstreamError, BreakerOpen, OutOfResources)):
            self._serve_stale(None)
        # It failed for the one that caused it, whatever the reason: the next one may have more luck.
        self._give_all(Failure(error), Again())

    def _broken(self, reason: Failure) -> None:
        self._log.failure("an answer could not be shared", reason)
        self._close()
        self._give_all(Failure(InternalError()), Again(alone=True))

    def _head(self, response: ApiResponse) -> None:
        self._response_time = self._state.seconds()
        self._end_request()
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

    def _end_request(self) -> None:
        """The first that is still there learns what it took."""
        self._answered = True
        if self._late is not None:
            self._no_late()
        # Break the reference cycle.
        self._request.on_interim = None
        for caller in self._waiting.values():
            caller.add_attempts(self._request.record)
            break

    def _to_store(self, response: ApiResponse) -> Stored | None:
        leader = self._leader
        length = 0 if response.body is None else response.body.length
        largest = min(leader.settings.max_object, self._state.store.largest)
        if response.until_close or (isinstance(length, int) and length > largest):
            return None
        return to_store(
            Request(leader.asked.control, leader.lifetime),
            response.status,
            response.reason,
            response.fields,
            self._request_time,
            self._response_time,
            leader.settings,
        )

    def _unshareable(self, response: ApiResponse) -> None:
        """The one that has caused it gets it, and everybody else asks upstream at once."""
        self._close()
        state, leader = self._state, self._leader
        if response.status in UNDERSTOOD and not leader.asked.control.no_store and not self._doubtful:
            state.likelihood.note(self.key, state.seconds(), shared=False, kind=response.status < 400)
            if self._found is not None:
                state.store.remove(self.key)
        if leader in self._waiting.values():
            self._for_leader_only(response)
        else:
            drop(response.body)
        self._give_all(response, Again(alone=True))

    def _for_leader_only(self, response: ApiResponse) -> None:
        leader, body, record = self._leader, response.body, self._request.record
        member = status.forwarded(leader.reason, key=leader.shown_key)
        response.fields = [*response.fields, member]
        if body is not None and at_hand(body):
            # Framed as it came: one in chunks has no length for the client either.
            response.body = BytesBody(content_of(body), body.length)
        elif body is not None:
            response.body = Tap(body, None, lambda _: leader.add_details(record))
        leader.add_details(record)

    def _shareable(self, response: ApiResponse, stored: Stored) -> None:
        state, entry = self._state, stored.entry
        reusable = entry.lifetime > entry.initial_age and not entry.always_validate
        state.likelihood.note(self.key, self._response_time, shared=reusable, kind=True)
        self._filling = filling = Filling(state, self._leader, stored, self._request.record, self._since, self._close)
        waiting = list(self._waiting.items())
        served = filling.begin(response, [caller for _, caller in waiting])
        for (each, _), brought in zip(waiting, served, strict=True):
            self._give(each, brought)

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
        found, leader, state = self._found, self._leader, self._state
        if entry is None or found is None:
            self._close()
            state.store.remove(self.key)
            self._give_all(Again(alone=True), Again(alone=True))
            return
        state.note_revalidated()
        stored = Stored(entry, leader.names)
        self._filling = filling = Filling(state, leader, stored, self._request.record, self._since, self._close)
        filling.begin_known(found.body)
        state.freshen(self.key, found, entry, leader.settings).addBoth(lambda _: self._close())
        for waiting, caller in list(self._waiting.items()):
            self._give(waiting, filling.for_validator() if caller is leader else filling.for_another(caller))

    def _serve_stale(self, failed_with: int | None) -> None:
        """
        Serve those who may have it what is stored in place of an error of upstream.

        @param failed_with: the status of upstream; C{None} if it gave no answer.
        """
        if self._found is None or self._old is None:
            return
        now = self._state.seconds()
        ttl = self._old.fresh_for(now)
        for waiting, caller in list(self._waiting.items()):
            if serves_on_error(self._old, caller.asked, now, disconnected=failed_with is None):
                member = status.forwarded(caller.reason, status=failed_with, ttl=ttl, key=caller.shown_key)
                self._give(waiting, caller.answer(self._state.clock, now, self._old, self._found.body, member))

    # -- what each gets

    def _give_all(self, leaders: ApiResponse | Again | Failure, others: Again) -> None:
        for waiting, caller in list(self._waiting.items()):
            self._give(waiting, leaders if caller is self._leader else others)

    def _give(self, waiting: Waiting, brought: ApiResponse | Again | Failure) -> None:
        self._until.pop(waiting, None)
        if self._waiting.pop(waiting, None) is not None:
            waiting.callback(brought)
        elif isinstance(brought, ApiResponse):
            drop(brought.body)
