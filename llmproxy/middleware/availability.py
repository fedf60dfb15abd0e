"""Availability: refuses requests before the database is open, and while the proxy stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from ..errors import Draining, Unavailable

if TYPE_CHECKING:
    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse


class Availability:
    """
    Refuses what comes too early or too late.

    @param started: has fired once requests can be served.
    @param draining: whether no new ones are taken.
    """

    def __init__(self, started: Deferred[Any], draining: Callable[[], bool]) -> None:
        self._started = started
        self._draining = draining

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        if self._draining():
            raise Draining("the proxy is shutting down", retry_after=5)
        if not self._started.called:
            raise Unavailable("the proxy is starting", retry_after=1)
        return inner(request)
