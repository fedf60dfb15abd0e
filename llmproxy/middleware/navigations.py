"""
Navigations of browsers to an API, where pages of ours stand at the same address.

An API can answer HTML, with scripts that would run as if they were ours: they could ask for our pages with the session
of who is signed in. In a sandbox (CSP level 3) what a browser shows has an origin of its own, out of reach of all else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.fields import first
from ..message import ApiResponse

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..interfaces import Responder
    from ..message import ApiRequest, Field

SHOWN = frozenset({b"document", b"iframe", b"frame", b"object", b"embed", b"fencedframe"})
"""Destinations (Fetch standard) whose answer becomes a document."""

_DOCUMENTS = (b"text/html", b"image/svg+xml", b"application/xml", b"text/xml")
_FIELDS: tuple[Field, ...] = (
    (b"Content-Security-Policy", b"sandbox"),
    (b"X-Content-Type-Options", b"nosniff"),
)


class SandboxNavigations:
    """Programs get what upstream says; what a browser would show as a document gets a sandbox around it."""

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        destination = first(request.fields, b"sec-fetch-dest")
        responding = inner(request)
        if destination is None:
            # No browser, or one that came in clear from another machine: those say nothing of it.
            return responding.addCallback(_sandboxed_document)
        return responding.addCallback(_sandboxed) if destination.lower() in SHOWN else responding


def _sandboxed(response: ApiResponse) -> ApiResponse:
    response.fields = [*response.fields, *_FIELDS]
    return response


def _sandboxed_document(response: ApiResponse) -> ApiResponse:
    kind = (first(response.fields, b"content-type") or b"").partition(b";")[0].strip().lower()
    return _sandboxed(response) if kind in _DOCUMENTS or kind.endswith(b"+xml") else response
