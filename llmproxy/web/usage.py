"""C{/usage}: what a token may know about itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred, DeferredSemaphore

from ..core.identifiers import correlation_id_of
from ..core.tokens import QUERY_KEY
from ..errors import Draining, ProjectInactive, ProxyError, Unauthorized, Unavailable
from ..management.limits import left_of
from ..management.usage import UsageRules
from .api.stocksite import fields_of
from .clientaddress import client_of
from .jsonresource import JsonResource
from .manage.limits import view_of_left
from .manage.responses import moment
from .manage.usage import TokenUsageFilter, report_asked
from .operations import Call, Operation, RouteTable
from .requestids import known_as

if TYPE_CHECKING:
    from ..core.reports import UsageQuestion
    from ..core.routing import RoutingTable
    from ..interfaces import IAuditLogger
    from ..management.limits import Left
    from ..management.state import State
    from ..message import Fields, Principal, Token

WRITTEN_EVERY = 0.1
"""Seconds; more often counts are not written down for those who ask."""


AT_ONCE, MOST_WAITING = 2, 100
"""Reports that are made at a time, and those that wait for their turn; one more is asked to come again."""


class Identifies(Protocol):
    """L{llmproxy.middleware.authenticate.Authenticate} is one."""

    def principal_of(
        self, fields: Fields, target: bytes, *, key_fields: frozenset[bytes], query_keys: frozenset[bytes]
    ) -> Deferred[Principal]: ...


class TokenUsage(JsonResource):
    """
    Answers the holder of a token, wherever it stands in the request, whether it is used up or not. It spends nothing,
    and asks neither upstream nor the cache. Who is refused is in the audit log, as at every API.

    @param table: gives the APIs that are served now: their places for a key are places for a token here too.
    @param draining: whether no more calls are taken.
    """

    def __init__(
        self,
        identifies: Identifies,
        table: Callable[[], RoutingTable],
        state: State,
        rules: UsageRules,
        audit: IAuditLogger | None = None,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(RouteTable({"/": {b"GET": Operation(self.show, query=TokenUsageFilter)}}))
        self._identifies = identifies
        self._apis = table
        self._state = state
        self._rules = rules
        self._audit = audit
        self._draining = draining
        self._written = 0.0
        self._turns = DeferredSemaphore(AT_ONCE)

    async def authorize(self, call: Call) -> None:
        if self._draining():
            raise Draining("the proxy is shutting down", retry_after=5)
        apis = self._apis().apis
        call.actor = await self._identifies.principal_of(
            fields_of(call.request),
            call.request.uri,
            key_fields=frozenset[bytes]().union(*(api.key_fields for api in apis)),
            query_keys=self._query_keys(),
        )

    def target(self, call: Call) -> bytes:
        """Without the parameters that hold the token."""
        path, _, query = call.request.uri.partition(b"?")
        names = self._query_keys() | {QUERY_KEY}
        kept = [pair for pair in query.split(b"&") if unquote_to_bytes(pair.partition(b"=")[0]).lower() not in names]
        return path + b"?" + b"&".join(kept)

    async def show(self, call: Call) -> dict[str, Any]:
        query: TokenUsageFilter = call.query
        question = self._rules.question(report_asked(query), tokens=(call.actor.token.id,))
        token = await self._counted(call.actor.token)
        limits = await left_of(self._state.limits, call.actor.project, token, self._state.seconds())
        answer = counts_of(token, call.actor.token.expires_at, limits)
        if self._rules.is_kept:
            answer |= await self._in_turn(question, query)
        return answer

    async def _in_turn(self, question: UsageQuestion, query: TokenUsageFilter) -> dict[str, Any]:
        """A report; those of tokens do not keep the database from everything else."""
        if len(self._turns.waiting) >= MOST_WAITING:
            raise Unavailable("too many tokens ask what they have used", retry_after=1)
        return await self._turns.run(
            lambda: Deferred.fromCoroutine(
                self._rules.report(question, with_forecast=query.forecast, with_latency=query.latency)
            )
        )

    def finished(self, call: Call, error: ProxyError | None) -> None:
        """Note who was refused, as L{llmproxy.middleware.auditdenials.AuditDenials} does."""
        if self._audit is None or error is None or call.actor is not None or isinstance(error, Draining):
            return
        if isinstance(error, Unauthorized):
            self._audit.log("token.validate", "anonymous", "denied", **_noted(call, error))
        elif isinstance(error, ProjectInactive):
            self._audit.log("proxy_request", "system", "denied", **_noted(call, error))
        elif isinstance(error, Unavailable):
            self._audit.log("proxy_request", "system", "error", **_noted(call, error))

    async def _counted(self, token: Token) -> Token:
        """A token with its counts, those that are in memory written down."""
        now = self._state.seconds()
        if not 0 <= now - self._written < WRITTEN_EVERY:
            self._written = now
            await self._state.flush()
        return await self._state.tokens.get(token.id) or token

    def _query_keys(self) -> frozenset[bytes]:
        return frozenset[bytes]().union(*(api.query_keys for api in self._apis().apis))


def counts_of(token: Token, expires_at: float | None, limits: Sequence[Left] = ()) -> dict[str, Any]:
    """
    What a token has used of what it may, and how long that is good.

    @param expires_at: of the secret that was shown, which may end before the token.
    @param limits: what is left of those of the token itself.
    """
    # The requests of a token are counted for all of its life, and rates come back within a minute.
    resets = [each.resets_at for each in limits if each.rule.kind == "money" and each.resets_at is not None]
    limit = token.max_requests
    left = None if limit is None else max(0, limit - token.request_count - token.reserved_lost)
    return {
        "token_id": token.id,
        "token_name": token.name,
        "expires_at": None if expires_at is None else moment(expires_at),
        "last_used_at": None if token.last_used_at is None else moment(token.last_used_at),
        "request_count": token.request_count,
        "cache_hit_count": token.cache_hit_count,
        "max_requests": limit,
        "remaining_requests": left,
        "limits": [view_of_left(each) for each in limits],
        "resets_at": moment(min(resets)) if resets else None,
    }


def _noted(call: Call, error: ProxyError) -> dict[str, object]:
    request, fields = call.request, fields_of(call.request)
    request_id, user_agent, _ = known_as(fields)
    details = {
        "reason": error.code,
        "error": error.description or error.message,
        "request_id": request_id,
        "correlation_id": correlation_id_of(fields),
        "client_ip": client_of(request),
        "http_method": request.method.decode("latin-1"),
        "endpoint": request.uri.partition(b"?")[0].decode("latin-1"),
        "user_agent": user_agent,
        "status": error.status,
    }
    return {name: value for name, value in details.items() if value}
