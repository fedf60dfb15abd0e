"""Fields about the proxy's own work, for APIs whose configuration asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twisted.internet.defer import Deferred

    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse, Field


class DebugFields:
    """
    C{X-Proxy}, and C{Server-Timing} (W3C) with how long upstream took to its head, in milliseconds; where a request was
    tried more than once, or could not be, C{X-Proxy-Attempts} and C{X-Proxy-Not-Retried}.

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
        if record.details:
            response.fields += _attempts(record.details)
        return response


def _attempts(details: Mapping[str, Any]) -> list[Field]:
    """The attempts, where there were several, and why no further one was made."""
    found: list[Field] = []
    tried = details.get("tried")
    if tried:
        said = (f"{each['upstream']} {each.get('status') or each.get('cause')} {each['took']:.0f}ms" for each in tried)
        found.append((b"X-Proxy-Attempts", ", ".join(said).encode("ascii", "replace")))
    reason = details.get("not_retried")
    if reason:
        found.append((b"X-Proxy-Not-Retried", str(reason).encode("ascii", "replace")))
    return found
