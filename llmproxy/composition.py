"""Middlewares around a responder, composed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from .errors import ConfigError

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


@frozen
class Placed:
    """
    Middlewares of an application, and where they stand; made by L{before} and L{after}.

    @ivar name: of the place in the standard chain that they stand beside.
    @ivar outside: further out than that, so that they see its requests earlier and its responses later.
    """

    name: str
    middlewares: tuple[Middleware, ...]
    outside: bool


def before(name: str, *middlewares: Middleware) -> Placed:
    """
    C{middlewares}, outermost first, between the place C{name} and the one outside of it.

    @param name: one of L{llmproxy.app.standardchain.NAMES}.
    @raise TypeError: one of them is no middleware.
    """
    return Placed(name, _middlewares(middlewares), outside=True)


def after(name: str, *middlewares: Middleware) -> Placed:
    """The same between the place C{name} and the one inside of it."""
    return Placed(name, _middlewares(middlewares), outside=False)


def _middlewares(given: tuple[Middleware, ...]) -> tuple[Middleware, ...]:
    """What an application gives is looked at before the first request comes."""
    for each in given:
        if isinstance(each, type) or not callable(getattr(each, "respond", None)):
            raise TypeError(f"{each!r} is no middleware: an object with a method respond(request, inner) is one")
    return given


def arranged(standard: Sequence[tuple[str, Middleware | None]], placed: Sequence[Placed] = ()) -> list[Middleware]:
    """
    The middlewares of a chain, outermost first. What is placed more than once beside the same place stands in the order
    in which it is given.

    @param standard: every place by its name; C{None} where nothing stands there, and others can stand beside it.
    @raise ConfigError: there is no place of such a name.
    @raise TypeError: a middleware is given without its place.
    """
    names = [name for name, _ in standard]
    for one in placed:
        if not isinstance(one, Placed):
            raise TypeError(f"{one!r} has no place in the chain: give before(name, …) or after(name, …)")
        if one.name not in names:
            raise ConfigError(f"middlewares: the chain has no place {one.name!r}; it has {', '.join(names)}")
    found: list[Middleware] = []
    for name, middleware in standard:
        found += [each for one in placed if one.name == name and one.outside for each in one.middlewares]
        found += [] if middleware is None else [middleware]
        found += [each for one in placed if one.name == name and not one.outside for each in one.middlewares]
    return found
