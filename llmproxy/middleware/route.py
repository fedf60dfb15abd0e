"""Routing of requests to APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import succeed

from ..core.routing import shown
from ..errors import EndpointNotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred

    from ..core.routing import RoutingTable
    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse


class RouteRequest:
    """
    Sets C{request.route}, and C{request.target} relative to the API.

    A request that belongs to no API is refused with the names of those there are, if its sender has a valid token.
    Whether the API allows the path is L{Restrict}'s to say, when the caller is known.

    @param is_known: whether the sender of a request has a token that may be used.
    """

    def __init__(
        self, table: RoutingTable, is_known: Callable[[ApiRequest], Deferred[bool]] = lambda _: succeed(False)
    ) -> None:
        self._match = table.match
        self._listed = table.listed()
        self._is_known = is_known

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        route = self._match(request.target)
        if route is None:
            return self._is_known(request).addCallback(self._not_found, request.record.path)
        request.route = route
        request.target = route.target
        record = request.record
        record.api = route.api.name
        record.endpoint = route.endpoint
        return inner(request)

    def _not_found(self, known: bool, path: str) -> ApiResponse:
        raise EndpointNotFound(f"{shown(path)} belongs to no API" + (f"; {self._listed}" if known else ""))
