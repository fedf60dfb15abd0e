"""One request that the cache may answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import fail, succeed

from ...core.caching import status
from ...core.caching.answer import Answer, answer
from ...core.caching.conditional import same_representation, selected_by
from ...core.caching.eligibility import may_lead, may_wait
from ...core.caching.key import cache_key_from_request_with_vary
from ...core.caching.reuse import Reuse, reuse_of
from ...core.caching.storing import freshened, retention
from ...errors import NotCached
from ...message import ApiResponse
from ..quota import final
from .body import body_of
from .fetch import Fetch

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ...core.caching.content import Content
    from ...core.caching.directives import RequestDirectives
    from ...core.caching.entry import Entry, Found
    from ...core.caching.key import Key
    from ...core.caching.settings import CacheSettings
    from ...core.caching.status import Forward
    from ...interfaces import Responder
    from ...message import ApiRequest, Field
    from .cache import Cache
    from .filling import Again

MOST_TRIES = 3
"""After so many flights that brought nothing for it, a request goes by itself."""


class Lookup:
    """
    @ivar names: what the variants are told apart by, as far as is known; C{variant} is what the request has there.
    @ivar reason: why the request goes on, as C{Cache-Status} calls it.
    @ivar content: of a POST.
    @ivar lifetime: what the client of a POST asked for.
    @ivar until: how long it may wait for others, from the first of them on; seconds since the epoch.
    """

    __slots__ = (
        "_cache",
        "_tries",
        "asked",
        "content",
        "inner",
        "key",
        "lifetime",
        "names",
        "reason",
        "request",
        "settings",
        "until",
        "variant",
        "waiting",
    )

    def __init__(
        self,
        cache: Cache,
        request: ApiRequest,
        inner: Responder,
        asked: RequestDirectives,
        settings: CacheSettings,
        key: Key,
        content: bytes | None = None,
        lifetime: float | None = None,
    ) -> None:
        self._cache = cache
        self._tries = 0
        self.request = request
        self.inner = inner
        self.asked = asked
        self.settings = settings
        self.key = key
        self.content = content
        self.lifetime = lifetime
        self.reason: Forward = "uri-miss"
        self.names: tuple[bytes, ...] = ()
        self.variant = b""
        self.waiting: Deferred[ApiResponse | Again] | None = None
        self.until = 0.0

    def begin(self) -> Deferred[ApiResponse]:
        checking: Deferred[Any] | None = self._cache.quota.check(self.request.principal)
        if checking is None:
            return self._look()
        return checking.addCallbacks(self._look, final)

    def select(self, names: tuple[bytes, ...]) -> bytes:
        self.names = names
        self.variant = cache_key_from_request_with_vary(self.request, names)
        return self.variant

    def _look(self, _: object = None) -> Deferred[ApiResponse]:
        store = self._cache.store
        found = store.found(self.key, self.select)
        if found is None:
            looking: Deferred[Any] = store.lookup(self.key, self.select)
            return looking.addCallback(self._found)
        brought = self._found(found)
        return succeed(brought) if isinstance(brought, ApiResponse) else brought

    def _found(self, found: Found | None) -> ApiResponse | Deferred[ApiResponse]:
        if found is None or found.entry is None:
            self.reason = "uri-miss" if found is None else "vary-miss"
            return self._forward(None)
        now = self._cache.seconds()
        reuse = reuse_of(found.entry, self.asked, now)
        if reuse is Reuse.VALIDATE or reuse is Reuse.NOT_WANTED:
            self.reason = "stale" if reuse is Reuse.VALIDATE else "request"
            return self._forward(found)
        if reuse is Reuse.SERVE_AND_REVALIDATE:
            self._cache.revalidate(self, found)
        return self._hit(found.entry, found.body, now)

    def _hit(self, entry: Entry, content: Content, now: float) -> ApiResponse:
        self.request.record.cache = "hit"
        told = status.hit(entry.fresh_for(now), self.shown_key())
        return self._made(answer(entry, self.asked, now, told, head=self.request.method == b"HEAD"), content)

    def answer(self, entry: Entry, content: Content, told: Field) -> ApiResponse:
        """What this client gets of a response that is here whole."""
        now = self._cache.seconds()
        return self._made(answer(entry, self.asked, now, told, head=self.request.method == b"HEAD"), content)

    def _made(self, made: Answer, content: Content) -> ApiResponse:
        body = None
        if made.part is not None and made.status != 204:
            start, end = made.part
            body = body_of(self._cache.clock, content if end - start == len(content) else content[start:end])
        return ApiResponse(made.status, made.reason, made.fields, body)

    def shown_key(self) -> bytes:
        return self.key.digest[:8].hex().encode("ascii") if self.request.route.api.debug_fields else b""

    # -- on to upstream

    def _forward(self, found: Found | None) -> Deferred[ApiResponse]:
        if self.asked.control.only_if_cached:
            return fail(NotCached())
        self.request.record.cache = self.reason
        if self.request.method == b"HEAD":
            return self.inner(self.request).addCallback(self._headed, found)
        return self._fly(found)

    def _fly(self, found: Found | None, *, alone: bool = False) -> Deferred[ApiResponse]:
        cache = self._cache
        now = cache.seconds()
        if not alone and may_wait(self.asked):
            flight = cache.flight(self.key, self.variant)
            if flight is not None and self._may_board(flight, now):
                return flight.board(self).addCallback(self._landed)
        flight = Fetch(cache, self, found)
        arriving: Deferred[Any] = flight.board(self).addCallback(self._landed)
        public = not alone and may_lead(self.asked) and cache.likelihood.is_shared(self.key, now)
        flight.take_off(public=public and cache.flight(self.key, self.variant) is None)
        return arriving

    def _may_board(self, flight: Fetch, now: float) -> bool:
        """Whether there is time left to wait, for one that is not stuck."""
        self.until = self.until or now + self.settings.wait
        if flight.is_stuck(now):
            flight.set_aside()
            return False
        return self.until > now

    def _landed(self, brought: ApiResponse | Again) -> ApiResponse | Deferred[ApiResponse]:
        self.waiting = None
        if isinstance(brought, ApiResponse):
            return brought
        self._tries += 1
        if brought.names is not None:
            self.select(brought.names)
        return self._fly(None, alone=brought.alone or self._tries >= MOST_TRIES)

    def _headed(self, response: ApiResponse, found: Found | None) -> ApiResponse:
        """An answer to HEAD, which tells of what is stored for GET too: RFC 9111 section 4.3.5."""
        told = status.forwarded(self.reason, key=self.shown_key())
        response.fields, fields = [*response.fields, told], response.fields
        if found is None or found.entry is None:
            return response
        same: object = None
        if response.status == 200:
            same = same_representation(found.entry, fields)
        elif response.status == 304:
            same = bool(selected_by(fields, [(b"", found.entry)])) or None
        if same:
            now = self._cache.seconds()
            self.freshen(found, freshened(found.entry, fields, now, now, self.settings))
        elif same is not None:
            self._cache.remove(self.key)
        return response

    def freshen(self, found: Found, entry: Entry | None) -> Deferred[Any]:
        """Keep the content that was found under another head, or not at all."""
        seconds = 0.0 if entry is None else retention(entry, self._cache.seconds(), self.settings)
        if entry is None or seconds <= 0:
            return self._cache.store.remove(self.key)
        return self._cache.store.replace_head(self.key, found, entry, seconds)
