"""
CORS: preflights of browsers, and the fields that let a page read an answer.

Only origins that an API's configuration names get any of it; an API that names none is not for browsers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import succeed

from ..core.fields import LOWER, first, list_members, without
from ..errors import OriginNotAllowed
from ..message import ApiResponse
from ..providers.exposed import exposed
from .errorresponses import explained

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..core.policy import Policy
    from ..core.routing import RoutingTable
    from ..interfaces import Responder
    from ..message import ApiRequest, Field

MAX_AGE = b"86400"
_DEFAULT_HEADERS = b"Authorization, Content-Type, X-Requested-With"
_MOST_HEADERS = 4096
_VARIES = frozenset({b"origin", b"*"})
_OURS = frozenset(
    {b"access-control-allow-origin", b"access-control-allow-credentials", b"access-control-expose-headers"}
)


class Cors:
    """
    @param table: tells which API, and so whose origins, a target belongs to.
    """

    def __init__(self, table: RoutingTable) -> None:
        self._table = table

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        origin = first(request.fields, b"origin")
        if origin is None:
            return inner(request)
        route = self._table.match(request.target)
        if route is None:
            return inner(request)
        policy: Policy = route.api.policy
        allowed = bool(policy.origins) and policy.allows_origin(origin)
        method = first(request.fields, b"access-control-request-method")
        if request.method == b"OPTIONS" and method is not None and policy.origins:
            request.record.api = route.api.name
            request.record.endpoint = route.endpoint
            if not allowed:
                # Without Access-Control-Allow-Origin the browser lets the page do nothing.
                request.route = route
                return succeed(explained(OriginNotAllowed(), request))
            return succeed(preflight(policy, origin, method, request.fields))
        responding = inner(request)
        return responding.addCallback(_readable, policy, origin) if allowed else responding


def preflight(policy: Policy, origin: bytes, method: bytes, fields: list[Field]) -> ApiResponse:
    """The answer to a preflight from an origin that is allowed, Fetch section 4.8."""
    wanted = first(fields, b"access-control-request-headers") or _DEFAULT_HEADERS
    methods = policy.methods or (method,)
    answer = [
        (b"Access-Control-Allow-Origin", b"*" if policy.any_origin else origin),
        (b"Access-Control-Allow-Methods", b", ".join(methods)),
        (b"Access-Control-Allow-Headers", wanted if len(wanted) <= _MOST_HEADERS else _DEFAULT_HEADERS),
        (b"Access-Control-Max-Age", MAX_AGE),
        (b"Vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]
    return ApiResponse(204, b"No Content", answer)


def _readable(response: ApiResponse, policy: Policy, origin: bytes) -> ApiResponse:
    """Let the page read an answer; what upstream said of origins was said of the proxy's, not of the page's."""
    lower = LOWER
    names = [lower[name] for name, _ in response.fields]
    theirs = list_members(response.fields, b"access-control-expose-headers")
    fields = without(response.fields, _OURS)
    fields.append((b"Access-Control-Allow-Origin", b"*" if policy.any_origin else origin))
    fields.append((b"Access-Control-Expose-Headers", exposed(names, theirs)))
    if not policy.any_origin and _VARIES.isdisjoint(list_members(fields, b"vary")):
        fields.append((b"Vary", b"Origin"))
    response.fields = fields
    return response
