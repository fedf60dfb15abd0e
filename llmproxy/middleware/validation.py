"""A check of requests against the rules of one API, on any responder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..message import Route
from .restrict import Restrict

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..interfaces import Responder
    from ..message import Api, ApiRequest, ApiResponse
    from .checking.inspection import Inspection


class RequestValidation:
    """
    L{Restrict} for a request that no C{route} has seen, or one that is to keep to stricter rules than its API has.

    A request without a route gets the one that it was checked by; another keeps its own.
    """

    def __init__(self, inspection: Inspection, api: Api) -> None:
        self._restrict = Restrict(inspection, f"allowed are: {' '.join(api.policy.endpoints)}")
        self._api = api

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        former = request.route_if_found
        path = request.target.partition(b"?")[0]
        request.route = Route(self._api, request.target, path, self._api.policy.endpoint(path) or "")

        def checked(request: ApiRequest) -> Deferred[ApiResponse]:
            if former is not None:
                request.route = former
            return inner(request)

        return self._restrict.respond(request, checked)
