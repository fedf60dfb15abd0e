"""Middlewares around a responder, composed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from .interfaces import Responder
    from .message import ApiRequest, ApiResponse

NO_KEYWORDS: Final[dict[str, Any]] = {}
"""
For callbacks of each request that take none. Twisted's own default is a mapping proxy, for which CPython makes a list
of keys each time that it calls: 2,000 instructions more than for a dictionary.
"""


class Middleware(Protocol):
    """See L{llmproxy.interfaces.IMiddleware}; a protocol for type checkers."""

    def respond(self, request: ApiRequest, inner: Responder, /) -> Deferred[ApiResponse]: ...


def chain(responder: Responder, *middlewares: Middleware) -> Responder:
    """
    Compose C{middlewares}, outermost first, around C{responder}.

    What a middleware raises becomes the failure of its Deferred, so that those further out see
    one kind of outcome only.
    """
    for middleware in reversed(middlewares):
        responder = _link(middleware, responder)
    return responder


def _link(middleware: Middleware, inner: Responder) -> Responder:
    respond = middleware.respond

    def link(request: ApiRequest) -> Deferred[ApiResponse]:
        try:
            return respond(request, inner)
        except Exception:
            return fail(Failure())

    return link
