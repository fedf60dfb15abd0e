"""A lookup: one request that the cache may answer, and that joins or starts a fetch where it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import fail, succeed

from ...core.caching import status
from ...core.caching.conditional import same_representation, selected_by
from ...core.caching.reuse import Reuse, reuse_of
from ...core.caching.storing import freshened
from ...errors import NotCached
from ...message import ApiResponse
from .fetch import Fetch
from .request import HIT

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ...core.caching.entry import Found
    from ...core.caching.status import Forward
    from .request import Again, CacheRequest
    from .state import CacheState, Running

MOST_TRIES = 3
"""After so many fetches that brought nothing for it, a request goes by itself."""


class Lookup:
    """
    @ivar _until: how long it may wait for others, from the first of them on; seconds since the epoch.
    """

    __slots__ = ("_caller", "_state", "_tries", "_until")

    def __init__(self, state: CacheState, caller: CacheRequest) -> None:
        self._state = state
        self._caller = caller
        self._tries = 0
        self._until = 0.0

    def begin(self, _: object = None) -> Deferred[ApiResponse]:
        store, caller = self._state.store, self._caller
        found = store.found(caller.key, caller.select)
        if found is None and not store.complete:
            looking: Deferred[Any] = store.lookup(caller.key, caller.select)
            return looking.addCallback(self._found)
        brought = self._found(found)
        return succeed(brought) if isinstance(brought, ApiResponse) else brought

    def _found(self, found: Found | None) -> ApiResponse | Deferred[ApiResponse]:
        state, caller = self._state, self._caller
        if found is None or found.entry is None:
            return self._forward("uri-miss" if found is None else "vary-miss", None)
        now = state.seconds()
        entry = found.entry
        reuse = reuse_of(entry, caller.asked, now)
        if reuse is Reuse.VALIDATE or reuse is Reuse.NOT_WANTED:
            return self._forward("stale" if reuse is Reuse.VALIDATE else "request", found)
        if reuse is Reuse.SERVE_AND_REVALIDATE:
            self._revalidate(found)
        caller.request.record.cache = HIT
        member = status.hit(entry.fresh_for(now), caller.shown_key)
        return caller.answer(state.clock, now, entry, found.body, member)

    def _revalidate(self, found: Found) -> None:
        """Ask upstream in the background whether what is being served is still good (RFC 5861 section 3)."""
        caller = self._caller
        if self._state.running(caller.key, caller.variant) is None:
            Fetch(self._state, caller, found).start_in_background()

    # -- on to upstream

    def _forward(self, reason: Forward, found: Found | None) -> Deferred[ApiResponse]:
        caller = self._caller
        if caller.asked.control.only_if_cached:
            return fail(NotCached())
        caller.goes_on(reason)
        if caller.request.method == b"HEAD":
            return caller.inner(caller.request).addCallback(self._headed, found)
        return self._fetch(found)

    def _fetch(self, found: Found | None, *, alone: bool = False) -> Deferred[ApiResponse]:
        """Join the fetch that is running for the same, or start one."""
        state, caller = self._state, self._caller
        now = state.seconds()
        running = state.running(caller.key, caller.variant)
        waits = not alone and caller.asked.may_wait
        if waits and running is not None and self._may_join(running, now):
            return running.join(caller, self._until).addCallback(self._brought)
        leads = not alone and (waits or caller.asked.may_lead)
        fetch = Fetch(state, caller, found)
        waiting: Deferred[Any] = fetch.join(caller).addCallback(self._brought)
        fetch.start(public=leads and running is None and state.likelihood.is_shared(caller.key, now))
        return waiting

    def _may_join(self, running: Running, now: float) -> bool:
        """Whether there is time left to wait, for a fetch that is not stuck."""
        self._until = self._until or now + self._caller.settings.wait
        if running.is_stuck(now):
            running.set_aside()
            return False
        return self._until > now

    def _brought(self, brought: ApiResponse | Again) -> ApiResponse | Deferred[ApiResponse]:
        if isinstance(brought, ApiResponse):
            return brought
        self._tries += 1
        if brought.names is not None:
            self._caller.select(brought.names)
        return self._fetch(None, alone=brought.alone or self._tries >= MOST_TRIES)

    def _headed(self, response: ApiResponse, found: Found | None) -> ApiResponse:
        """An answer to HEAD, which tells of what is stored for GET too: RFC 9111 section 4.3.5."""
        state, caller = self._state, self._caller
        member = status.forwarded(caller.reason, key=caller.shown_key)
        response.fields, fields = [*response.fields, member], response.fields
        if found is None or found.entry is None:
            return response
        same: object = None
        if response.status == 200:
            same = same_representation(found.entry, fields)
        elif response.status == 304:
            same = bool(selected_by(fields, [(b"", found.entry)])) or None
        if same:
            now = state.seconds()
            entry = freshened(found.entry, fields, now, now, caller.settings)
            state.freshen(caller.key, found, entry, caller.settings)
        elif same is not None:
            state.remove(caller.key)
        return response
