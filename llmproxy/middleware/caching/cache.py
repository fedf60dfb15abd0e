"""
What is stored answers; what is asked for twice at once is fetched once: RFC 9111.

The rules are in L{llmproxy.core.caching}; here they are put to use. L{Lookup} is a request that the cache may answer,
L{Fetch} one that is on its way to upstream for everybody who waits for the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import fail

from ...bodies import at_hand, collect
from ...core.caching.directives import asked_by
from ...core.caching.eligibility import is_for_origin, opted_in
from ...core.caching.invalidation import invalidates, named_targets
from ...core.caching.key import SHARED, Key, cache_key_from_request, content_digest
from ...core.caching.likelihood import Likelihood
from ...core.caching.status import BY_METHOD, BYPASSED
from ...core.credentials import without_keys
from ...core.targets import QUERY
from ...errors import ContentTooLarge, NotCached
from .fetch import Fetch
from .filling import content_of
from .lookup import Lookup
from .sharing import Budget

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime

    from ...chain import Middleware
    from ...core.caching.directives import RequestDirectives
    from ...core.caching.entry import Found
    from ...core.caching.settings import CacheSettings
    from ...interfaces import ICacheStore, IQuota, Responder
    from ...message import Api, ApiRequest, ApiResponse, Field

HELD = 64 * 1024 * 1024
"""
Bytes that all answers together may hold while they are on their way into the store. An installation that lets one
alone be larger gives it room.
"""


class Cache:
    """
    Serves what is stored, stores what may be stored, while it flows.

    An API whose C{settings} have no C{"cache"} passes untouched.

    @param clock: its C{seconds} are since the epoch.
    @param held: bytes that all answers together may hold while they are on their way into the store.
    @param quota: is asked before anything is looked up: a spent token gets nothing, though a hit spends nothing.
    @param background: what upstream is asked through where no client waits: it makes a record of it.
    @ivar counts: where answers that were stored are counted, as C{store}; what became of a request stands in its
        record, which is counted when it has ended.
    @ivar collapsed: requests that were answered with the bytes of another's.
    @ivar revalidated: stored answers that upstream said are still good.
    """

    def __init__(
        self,
        clock: IReactorTime,
        store: ICacheStore,
        quota: IQuota,
        background: Middleware,
        counts: dict[str, int],
        held: int = HELD,
    ) -> None:
        self.clock = clock
        self.seconds = clock.seconds
        self.store = store
        self.quota = quota
        self.background = background
        self.budget = Budget(held)
        self.counts = counts
        self.collapsed = 0
        self.revalidated = 0
        self._flights: dict[bytes, dict[bytes | Fetch, Fetch]] = {}
        self.likelihood = Likelihood()

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        settings: CacheSettings | None = request.route.api.settings.get("cache")
        if settings is None or request.upgrade:
            return inner(request)
        method = request.method
        if method == b"GET" or method == b"HEAD":
            return self._ask(request, inner, settings)
        asked = asked_by(request.fields)
        if settings.post == "opt_in" and method == b"POST":
            lifetime = opted_in(asked, settings)
            if lifetime is not None:
                return self._post(request, inner, settings, asked, lifetime)
        return self._pass(request, inner, asked, "method", BY_METHOD)

    def _ask(self, request: ApiRequest, inner: Responder, settings: CacheSettings) -> Deferred[ApiResponse]:
        asked = asked_by(request.fields)
        if is_for_origin(asked) or (request.body is not None and request.body.length):
            return self._pass(request, inner, asked, "bypass", BYPASSED)
        key = cache_key_from_request(request, SHARED if settings.scope == "shared" else None)
        return Lookup(self, request, inner, asked, settings, key).begin()

    def _post(
        self, request: ApiRequest, inner: Responder, settings: CacheSettings, asked: RequestDirectives, lifetime: float
    ) -> Deferred[ApiResponse]:
        body = request.body
        length = 0 if body is None else body.length
        if not isinstance(length, int) or length > settings.post_max_body:
            return self._pass(request, inner, asked, "bypass", BYPASSED)

        if body is None or at_hand(body):
            content = b"" if body is None else content_of(body)
            return self._question(content, request, inner, settings, asked, lifetime)
        collecting = collect(body, length, ContentTooLarge)
        return collecting.addCallback(self._question, request, inner, settings, asked, lifetime)

    def _question(
        self,
        content: bytes,
        request: ApiRequest,
        inner: Responder,
        settings: CacheSettings,
        asked: RequestDirectives,
        lifetime: float,
    ) -> Deferred[ApiResponse]:
        tenant = SHARED if settings.scope == "shared" else None
        key = cache_key_from_request(request, tenant, b"POST", content_digest(request, content))
        return Lookup(self, request, inner, asked, settings, key, content, lifetime).begin()

    def _pass(
        self, request: ApiRequest, inner: Responder, asked: RequestDirectives, outcome: str, told: Field
    ) -> Deferred[ApiResponse]:
        if asked.control.only_if_cached:
            return fail(NotCached())
        request.record.cache = outcome
        # What is further in replaces the target and may answer before this returns.
        return inner(request).addCallback(self._passed, request, request.target, told)

    def _passed(self, response: ApiResponse, request: ApiRequest, target: bytes, told: Field) -> ApiResponse:
        response.fields = [*response.fields, told]
        if self.store.may_hold(None) and invalidates(request.method, response.status):
            self.invalidate(request, target, response)
        return response

    # -- what has changed

    def invalidate(self, request: ApiRequest, target: bytes, response: ApiResponse) -> None:
        """Let go of what an unsafe request has made doubtful, RFC 9111 section 4.4."""
        api = request.route.api
        if QUERY in target:
            target = without_keys(target, api.query_keys)
        self._doubt(request, api, target)
        for named in named_targets(api, target, response.fields):
            self._doubt(request, api, named)

    def _doubt(self, request: ApiRequest, api: Api, target: bytes) -> None:
        if not self.store.may_hold(target):
            return
        shared = api.settings["cache"].scope == "shared"
        self.remove(Key(api.space, SHARED if shared else request.principal.project.id, b"GET", target))

    def remove(self, key: Key) -> Deferred[int]:
        """Let go of what is stored, and do not store what is on its way now."""
        self.doubt(key)
        return self.store.remove(key)

    def doubt(self, key: Key) -> None:
        """Do not store what is on its way now."""
        for flight in list(self._flights.get(key.digest, {}).values()):
            flight.doubt()

    def purge(self, api: str | None, tenant: str | None, start: bytes = b"") -> Deferred[int]:
        """The same for all keys that L{ICacheStore.purge} lets go of."""
        self._doubt_all(api, tenant, start)
        return self.store.purge(api, tenant, start)

    def forget(self, api: str | None, tenant: str | None, start: bytes = b"") -> int:
        """The same for those that L{ICacheStore.forget} lets go of."""
        self._doubt_all(api, tenant, start)
        return self.store.forget(api, tenant, start)

    def _doubt_all(self, api: str | None, tenant: str | None, start: bytes) -> None:
        for flights in list(self._flights.values()):
            for flight in list(flights.values()):
                key = flight.key
                if api in (None, key.api) and tenant in (None, key.tenant) and key.member.startswith(start):
                    flight.doubt()

    # -- what is on its way

    def largest(self, settings: CacheSettings) -> int:
        """Bytes of the largest body that is kept for an API."""
        return min(settings.max_object, self.store.largest)

    def flight(self, key: Key, variant: bytes) -> Fetch | None:
        """The one that whoever asks for this may wait for."""
        return self._flights.get(key.digest, {}).get(variant)

    def took_off(self, flight: Fetch) -> None:
        """One that is listed by itself is nobody's to wait for, but what it brings can be doubted like others."""
        flight.since = self.store.expect(flight.key)
        if flight.listed is not None:
            self._flights.setdefault(flight.key.digest, {})[flight.listed] = flight

    def landed(self, flight: Fetch) -> None:
        """Nobody waits for this one any more, and what it brought is stored or will not be."""
        self.store.settle(flight.key)
        variants = self._flights.get(flight.key.digest)
        if variants is not None and flight.listed is not None and variants.get(flight.listed) is flight:
            del variants[flight.listed]
            if not variants:
                del self._flights[flight.key.digest]

    def set_aside(self, flight: Fetch) -> None:
        """Nobody else waits for this one; what it brings can still be doubted."""
        variants = self._flights[flight.key.digest]
        if flight.listed is not None and variants.get(flight.listed) is flight:
            del variants[flight.listed]
        flight.listed = flight
        variants[flight] = flight

    def revalidate(self, query: Lookup, found: Found) -> None:
        """Ask upstream in the background whether what has just been served is still good (RFC 5861 section 3)."""
        if self.flight(query.key, query.variant) is None:
            Fetch(self, query, found).go_alone()
