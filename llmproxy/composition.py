"""Middlewares around a responder, composed once."""

from __future__ import annotations

import re
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from .errors import ConfigError
from .message import ApiRequest, ApiResponse

if TYPE_CHECKING:
    from .interfaces import Responder
    from .message import Fields

_NOT_IN_NAME: Final = re.compile(rb"[\x00-\x20:\x7f]")
_NOT_IN_VALUE: Final = re.compile(rb"[\r\n\0]")
"""What would end a field, or begin another (RFC 9110 section 5.5)."""

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
class Watched:
    """
    A middleware of an application, held to its contract: what is no response is an error that names the middleware, and
    where it fails, the responses that it had from further in are stopped. An C{async def}, and a response without a
    Deferred around it, are as good as a Deferred.

    @ivar middleware: the application's.
    """

    middleware: Middleware

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        held = _Held(inner, request)
        try:
            answering = _deferred(self.middleware.respond(request, held.respond))
        except Exception:
            answering = fail(Failure())
        return answering.addCallback(self._response, held).addErrback(held.drop)

    def _response(self, answer: object, held: _Held) -> ApiResponse:
        if not isinstance(answer, ApiResponse):
            raise TypeError(
                f"{self.middleware!r} answered with {type(answer).__name__}: an ApiResponse is what respond() returns"
            )
        held.check(answer.fields)
        return answer


class _Held:
    """
    Responses from further in that nobody else would stop if the middleware that holds them fails; and fields as others
    have made them, which need no check.
    """

    def __init__(self, inner: Responder, request: ApiRequest) -> None:
        self._inner = inner
        self._responses: list[ApiResponse] = []
        self._known: list[Fields] = [request.fields]
        self._dropped = False

    def respond(self, request: ApiRequest) -> Deferred[ApiResponse]:
        try:
            self.check(request.fields)
        except TypeError:
            return fail(Failure())
        return self._inner(request).addCallback(self._came)

    def check(self, fields: Any) -> None:
        """
        @param fields: a header section, if the middleware does as it should.
        @raise TypeError: the middleware has made a field that would not go on the wire as one.
        """
        if any(fields is known for known in self._known):
            return
        for name, value in fields:
            if not (isinstance(name, bytes) and isinstance(value, bytes)):
                raise TypeError(f"the field {name!r} is no pair of bytes")
            if not name or _NOT_IN_NAME.search(name) or _NOT_IN_VALUE.search(value):
                raise TypeError(f"the field {name!r} has a character that no field can have, or no name")

    def _came(self, response: ApiResponse) -> ApiResponse:
        self._responses.append(response)
        self._known.append(response.fields)
        if self._dropped:
            self._stop()
        return response

    def drop(self, reason: Failure) -> Failure:
        self._dropped = True
        self._stop()
        return reason

    def _stop(self) -> None:
        responses, self._responses = self._responses, []
        for response in responses:
            if response.upgraded is not None:
                response.upgraded.unregisterProducer()
            if response.body is not None:
                response.body.stopProducing()


def _deferred(answer: Any) -> Deferred[Any]:
    if isinstance(answer, Deferred):
        return answer
    return Deferred.fromCoroutine(answer) if isinstance(answer, Coroutine) else succeed(answer)


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
    given: Sequence[object] = placed
    for one in given:
        if not isinstance(one, Placed):
            raise TypeError(f"{one!r} has no place in the chain: give before(name, …) or after(name, …)")
        if one.name not in names:
            raise ConfigError(f"middlewares: the chain has no place {one.name!r}; it has {', '.join(names)}")
    found: list[Middleware] = []
    for name, middleware in standard:
        found += [Watched(each) for one in placed if one.name == name and one.outside for each in one.middlewares]
        found += [] if middleware is None else [middleware]
        found += [Watched(each) for one in placed if one.name == name and not one.outside for each in one.middlewares]
    return found
