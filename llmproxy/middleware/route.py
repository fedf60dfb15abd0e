"""Which API a request belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import EndpointNotFound

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..core.routing import RoutingTable
    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse


class RouteRequest:
    """
    Sets C{request.route}, and C{request.target} relative to the API.

    Whether the API allows the path is L{Restrict}'s to say, when the caller is known.
    """

    def __init__(self, table: RoutingTable) -> None:
        self._match = table.match

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        route = self._match(request.target)
        if route is None:
            raise EndpointNotFound()
        request.route = route
        request.target = route.target
        record = request.record
        record.api = route.api.name
        record.endpoint = route.endpoint
        return inner(request)
