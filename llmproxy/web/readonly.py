"""Resources that are only read: the other methods are 405, in JSON."""

from __future__ import annotations

from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ..errors import MethodNotAllowed
from .jsonresource import JsonResource, send, send_error
from .operations import RouteTable

_ALLOWED = (b"GET", b"HEAD", b"OPTIONS")


class ReadOnlyResource(Resource):
    """
    A resource with a C{render_GET}; HEAD is answered by it too.

    twisted.web answers other methods with pages of HTML, and those that it does not know with 501 (RFC 9110 section
    15.5.6 is about both). What is not there below one that is no leaf is 404 in JSON.
    """

    isLeaf = True

    def getChild(self, path: bytes, request: Any) -> Resource:
        return JsonResource(RouteTable())

    def render(self, request: Any) -> Any:
        if request.method in (b"GET", b"HEAD"):
            return super().render(request)
        if request.method == b"OPTIONS":
            send(request, 204, None, ((b"Allow", b", ".join(_ALLOWED)),))
        else:
            send_error(request, MethodNotAllowed(_ALLOWED, message="method not allowed"))
        return NOT_DONE_YET
