"""A resource whose answers are whole: bytes of a known length, whatever their kind, and errors of any dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET

from ..bodies import collect
from ..core.reasons import reason_of
from ..errors import BadRequest, ClientLeft, ContentTooLarge, InternalError, MethodNotAllowed, ProxyError
from ..providers.errorbody import render
from .api.stocksite import fields_of
from .basicrequest import BasicRequest
from .requestids import known_as
from .resources import CountedResource

if TYPE_CHECKING:
    from twisted.web.server import Request

    from ..message import Fields

_FIXED = ((b"Cache-Control", b"no-store"), (b"X-Content-Type-Options", b"nosniff"))


@frozen(eq=False)
class WholeAnswer:
    """
    @ivar kind: the media type; C{b""} for none.
    """

    status: int = 200
    content: bytes = b""
    kind: bytes = b"application/json"
    fields: Fields = ()


class AnswerResource(CountedResource):
    """
    Every answer has a C{Content-Length}, but for 204 and 304, which have no content (RFC 9110 sections 15.3.5 and
    15.4.5). What C{answer} raises, a L{ProxyError}, is the answer too.

    @cvar methods: those that it knows; C{HEAD} comes with C{GET}.
    @param dialect: of its errors.
    @ivar running: requests whose answer is not known yet.
    """

    isLeaf = True
    methods: ClassVar[tuple[bytes, ...]] = (b"GET",)
    _log = Logger()

    def __init__(self, dialect: str = "anthropic") -> None:
        super().__init__()
        self.dialect = dialect

    async def answer(self, request: Request) -> WholeAnswer:
        """What is answered; of a request whose method is one of C{methods}."""
        raise NotImplementedError

    def refused(self, error: ProxyError, request: Request) -> WholeAnswer:
        """The answer that tells of an error."""
        request_id = known_as(fields_of(request))[0]
        return WholeAnswer(error.status, render(error, self.dialect, request_id), fields=error.fields)

    def render(self, request: Request) -> int:
        left: list[bool] = []
        request.notifyFinish().addErrback(lambda _: left.append(True))
        self.running += 1
        answering = Deferred.fromCoroutine(self._answer(request))
        answering.addErrback(self._failed, request)
        answering.addCallback(lambda answer: None if left else write(request, answer))
        answering.addErrback(lambda reason: self._log.failure("an answer could not be sent", reason))
        answering.addCallback(self._ended)
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> WholeAnswer:
        method = b"GET" if request.method == b"HEAD" else request.method
        if method not in self.methods:
            known = (*self.methods, b"HEAD") if b"GET" in self.methods else self.methods
            raise MethodNotAllowed(tuple(sorted(known)))
        return await self.answer(request)

    def _failed(self, reason: Failure, request: Request) -> WholeAnswer:
        error = reason.value
        if isinstance(error, ClientLeft):
            error = BadRequest("the client left before its body was here")
        if not isinstance(error, ProxyError):
            self._log.failure("a request failed", reason)
            error = InternalError()
        return self.refused(error, request)


async def content_within(request: Request, most: int) -> bytes:
    """
    The content of a request.

    @raise ContentTooLarge: more than C{most} bytes.
    """

    def too_large() -> ContentTooLarge:
        return ContentTooLarge(f"at most {most} bytes are accepted")

    if isinstance(request, BasicRequest) and (body := request.body) is not None:
        if isinstance(body.length, int) and body.length > most:
            raise too_large()
        return await collect(body, most, too_large)
    content: bytes = request.content.read(most + 1) if request.content is not None else b""
    if len(content) > most:
        raise too_large()
    return content


def write(request: Any, answer: WholeAnswer) -> None:
    """Send an answer."""
    request.setResponseCode(answer.status, reason_of(answer.status))
    named = {name.lower() for name, _ in answer.fields}
    for name, value in _FIXED:
        if name.lower() not in named:
            request.setHeader(name, value)
    for name, value in answer.fields:
        request.responseHeaders.addRawHeader(name, value)
    if answer.status not in (204, 304):
        if answer.kind:
            request.setHeader(b"Content-Type", answer.kind)
        request.setHeader(b"Content-Length", b"%d" % len(answer.content))
        if request.method != b"HEAD" and answer.content:
            request.write(answer.content)
    request.finish()
