"""Fields about the proxy's own work, for APIs whose configuration asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import __version__

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse


class DebugFields:
    """
    C{X-Proxy}, and C{Server-Timing} (W3C) with how long upstream took to its head, in milliseconds.

    They tell clients what they need not know, so that an API is without them unless it has C{debug_headers}.
    """

    _proxy = (b"X-Proxy", b"llmproxy/" + __version__.encode("ascii"))

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        responding = inner(request)
        if not request.route.api.debug_fields:
            return responding
        return responding.addCallback(self._tell, request)

    def _tell(self, response: ApiResponse, request: ApiRequest) -> ApiResponse:
        record = request.record
        # A new list: that of a cached response belongs to the cache.
        response.fields = [*response.fields, self._proxy]
        if record.upstream_first_byte is not None:
            took = b"upstream;dur=%.1f" % (record.upstream_first_byte * 1000)
            response.fields.append((b"Server-Timing", took))
        return response
