"""Access to what there is for coding agents: who asks, of which groups, and whether anybody is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from attrs import field, frozen
from twisted.internet.defer import Deferred, succeed

from ...core.identifiers import correlation_id_of
from ...errors import Draining, ProjectInactive, ProxyError, Unauthorized, Unavailable
from ..api.stocksite import fields_of
from ..clientaddress import client_of
from ..requestids import known_as

if TYPE_CHECKING:
    from twisted.web.server import Request

    from ...core.routing import RoutingTable
    from ...interfaces import IAuditLogger
    from ...message import Principal
    from ..usage import Identifies


@frozen
class Caller:
    """
    Who a token belongs to, as far as it is known.

    @ivar person: the id of the person; C{""} for a token of nobody in particular.
    @ivar email: theirs; C{""} if unknown.
    """

    person: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()


NOBODY = Caller()


class KnowsCallers(Protocol):
    """What knows the person behind a token."""

    def caller_of(self, principal: Principal, /) -> Deferred[Caller]: ...


class NoPeople:
    """Where there is no identity provider: tokens belong to nobody in particular."""

    def caller_of(self, principal: Principal, /) -> Deferred[Caller]:
        return succeed(NOBODY)


@frozen(eq=False)
class Access:
    """
    @ivar table: gives the APIs that are served now: their places for a key are places for a token here too.
    @ivar draining: whether nothing more is taken.
    """

    identifies: Identifies
    table: Callable[[], RoutingTable]
    callers: KnowsCallers = field(factory=NoPeople)
    audit: IAuditLogger | None = None
    draining: Callable[[], bool] = lambda: False

    async def principal(self, request: Request) -> Principal:
        """
        Who sends a request; who is refused is in the audit log, as at every API.

        @raise ProxyError: there is no good token, or it cannot be found out.
        """
        self.check_open()
        apis = self.table().apis
        try:
            return await self.identifies.principal_of(
                fields_of(request),
                request.uri,
                key_fields=frozenset[bytes]().union(*(api.key_fields for api in apis)),
                query_keys=frozenset[bytes]().union(*(api.query_keys for api in apis)),
            )
        except ProxyError as error:
            self._note(request, error)
            raise

    async def caller(self, request: Request) -> tuple[Principal, Caller]:
        """Likewise, with the person behind the token."""
        principal = await self.principal(request)
        return principal, await self.callers.caller_of(principal)

    def check_open(self) -> None:
        """
        @raise Draining: nothing more is taken.
        """
        if self.draining():
            raise Draining("the proxy is shutting down", retry_after=5)

    def _note(self, request: Request, error: ProxyError) -> None:
        if self.audit is None:
            return
        if isinstance(error, Unauthorized):
            self.audit.log("token.validate", "anonymous", "denied", **noted(request, error))
        elif isinstance(error, ProjectInactive):
            self.audit.log("proxy_request", "system", "denied", **noted(request, error))
        elif isinstance(error, Unavailable):
            self.audit.log("proxy_request", "system", "error", **noted(request, error))


def noted(request: Request, error: ProxyError | None = None) -> dict[str, object]:
    """What an audit record says of a request; no secrets."""
    fields = fields_of(request)
    request_id, user_agent, _ = known_as(fields)
    details: dict[str, object] = {
        "request_id": request_id,
        "correlation_id": correlation_id_of(fields),
        "client_ip": client_of(request),
        "http_method": request.method.decode("latin-1"),
        "endpoint": request.uri.partition(b"?")[0].decode("latin-1"),
        "user_agent": user_agent,
    }
    if error is not None:
        details |= {"reason": error.code, "error": error.description or error.message, "status": error.status}
    return {name: value for name, value in details.items() if value}
