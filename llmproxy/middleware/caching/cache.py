"""
The HTTP cache: stored answers, and one fetch for identical requests at the same time, RFC 9111.

The rules are in L{llmproxy.core.caching}; here they are put to use, one way: L{Lookup} is a request that the cache may
answer, L{llmproxy.middleware.caching.fetch.Fetch} one that is on its way to upstream for all who wait for the same,
L{llmproxy.middleware.caching.filling.Filling} what it brings, on its way into the store. Each knows the next one, and
none the one before: it is given values, and answers with values or Deferreds. What they have in common is
L{CacheState}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import fail

from ...bodies import at_hand, collect
from ...core.caching.directives import asked_by, opted_in
from ...core.caching.invalidation import invalidates, named_targets
from ...core.caching.key import SHARED, Key, content_digest, primary_key
from ...core.caching.status import BY_METHOD, BYPASSED
from ...core.credentials import without_keys
from ...core.targets import QUERY
from ...errors import ContentTooLarge, NotCached
from ..quota import final
from .filling import content_of
from .lookup import Lookup
from .request import CacheRequest
from .state import HELD, CacheState

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime

    from ...apisettings import CacheSettings
    from ...composition import Middleware
    from ...core.caching.directives import RequestDirectives
    from ...interfaces import ICacheStore, IQuota, Responder
    from ...message import Api, ApiRequest, ApiResponse, Field


class Cache(CacheState):
    """
    Serves what is stored, stores what may be stored, while it flows.

    An API without C{settings.cache} passes untouched.

    @param quota: is asked before anything is looked up: a spent token gets nothing, though a hit spends nothing.
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
        super().__init__(clock, store, background, counts, held)
        self.quota = quota

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        settings = request.route.api.settings.cache
        if settings is None or request.upgrade:
            return inner(request)
        method = request.method
        asked = asked_by(request.fields)
        if method == b"GET" or method == b"HEAD":
            if asked.is_for_origin or (request.body is not None and request.body.length):
                return self._pass(request, inner, asked, "bypass", BYPASSED)
            key = primary_key(request, SHARED if settings.scope == "shared" else None)
            return self._look_up(CacheRequest(request, inner, asked, settings, key))
        if settings.post == "opt_in" and method == b"POST":
            lifetime = opted_in(asked, settings)
            if lifetime is not None:
                return self._post(request, inner, settings, asked, lifetime)
        return self._pass(request, inner, asked, "method", BY_METHOD)

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
        key = primary_key(request, tenant, b"POST", content_digest(request, content))
        return self._look_up(CacheRequest(request, inner, asked, settings, key, content, lifetime))

    def _look_up(self, caller: CacheRequest) -> Deferred[ApiResponse]:
        checking: Deferred[Any] | None = self.quota.check(caller.request.principal)
        lookup = Lookup(self, caller)
        return lookup.begin() if checking is None else checking.addCallbacks(lookup.begin, final)

    def _pass(
        self, request: ApiRequest, inner: Responder, asked: RequestDirectives, outcome: str, member: Field
    ) -> Deferred[ApiResponse]:
        if asked.control.only_if_cached:
            return fail(NotCached())
        request.record.cache = outcome
        # What is further in replaces the target and may answer before this returns.
        return inner(request).addCallback(self._passed, request, request.target, member)

    def _passed(self, response: ApiResponse, request: ApiRequest, target: bytes, member: Field) -> ApiResponse:
        response.fields = [*response.fields, member]
        if self.store.may_hold(None) and invalidates(request.method, response.status):
            self.invalidate(request, target, response)
        return response

    # -- what has changed

    def invalidate(self, request: ApiRequest, target: bytes, response: ApiResponse) -> None:
        """Remove what an unsafe request has made doubtful, RFC 9111 section 4.4."""
        api = request.route.api
        if QUERY in target:
            target = without_keys(target, api.query_keys)
        self._doubt(request, api, target)
        for named in named_targets(api, target, response.fields):
            self._doubt(request, api, named)

    def _doubt(self, request: ApiRequest, api: Api, target: bytes) -> None:
        if not self.store.may_hold(target):
            return
        settings = api.settings.cache
        shared = settings is not None and settings.scope == "shared"
        self.remove(Key(api.space, SHARED if shared else request.principal.project.id, b"GET", target))
