"""One request on its way to upstream, and the Deferred of its response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import IClientRequest
from zope.interface import classImplements

from ..bodies import BytesBody
from ..message import Field, InterimSink
from .fieldheaders import FieldHeaders

if TYPE_CHECKING:
    from twisted.web.iweb import IBodyProducer

    from .response import UpstreamResponse


class Holder(Protocol):
    """Whatever an exchange waits for: the queue, a connection being opened, a connection."""

    def forget(self, exchange: Exchange, /) -> None:
        """The exchange was cancelled: close what is open for it."""


class Sent(Protocol):
    """Where it is counted how often a request was sent: L{llmproxy.Record} is one."""

    attempts: int


class Exchange:
    """
    @ivar head: the request head as it goes on the wire.
    @ivar length: of the body, as announced in C{head}; L{twisted.web.iweb.UNKNOWN_LENGTH} if it goes in chunks.
    @ivar whole: everything to be sent, if it is at hand; then it can be sent again.
    @ivar begun: the body has been started.
    @ivar retried: it has been sent again once.
    @ivar refusals: for how much upstream has said, over HTTP/2, that nobody has looked at it.
    @ivar origin: scheme and authority.
    @ivar fields: the header section as given, for those who ask for C{headers}.
    @ivar made: makes of the response what C{result} fires with; C{None} for the response itself.
    @ivar sent: counts each time that it is sent, the second one after a kept connection broke too.
    @ivar upgrade: upstream may switch to another protocol.
    @ivar expects: it is to be asked for the body, RFC 9110 section 10.1.1.
    """

    __slots__ = (
        "begun",
        "body",
        "expects",
        "fields",
        "head",
        "holder",
        "length",
        "made",
        "method",
        "on_interim",
        "origin",
        "refusals",
        "result",
        "retried",
        "sent",
        "target",
        "upgrade",
        "whole",
    )

    def __init__(
        self,
        method: bytes,
        origin: bytes,
        target: bytes,
        fields: Sequence[Field],
        head: bytes,
        body: IBodyProducer | None,
        length: int | object,
        on_interim: InterimSink | None,
    ) -> None:
        self.method = method
        self.origin = origin
        self.target = target
        self.fields = fields
        self.head = head
        self.body = body
        self.length = length
        self.on_interim = on_interim
        self.whole: bytes | None = None
        if body is None:
            self.whole = head
        elif type(body) is BytesBody and len(body.content) == length:
            self.whole = head + body.take()
        self.begun = False
        self.retried = False
        self.refusals = 0
        self.upgrade = self.expects = False
        self.sent: Sent | None = None
        self.made: Callable[[UpstreamResponse], Any] | None = None
        self.holder: Holder | None = None
        self.result: Deferred[Any] = Deferred(self._cancelled)

    @property
    def can_replay(self) -> bool:
        """Whether it can be sent again: the body was not started, or all of it is here."""
        return self.whole is not None or not self.begun

    @property
    def absoluteURI(self) -> bytes | None:
        """See L{IClientRequest}."""
        return self.origin + self.target

    @property
    def headers(self) -> Headers:
        """See L{IClientRequest}."""
        return FieldHeaders(self.fields)

    def _cancelled(self, _: Deferred[UpstreamResponse]) -> None:
        holder, self.holder = self.holder, None
        if holder is not None:
            holder.forget(self)

    def succeed(self, response: UpstreamResponse) -> None:
        """The response head has come."""
        # A response may live long; what was sent for it need not.
        self.holder = self.body = self.whole = self.on_interim = None
        self.head = b""
        made, self.made = self.made, None
        try:
            result = response if made is None else made(response)
        except Exception:
            self.result.errback()
        else:
            self.result.callback(result)

    def fail(self, reason: Failure) -> None:
        """There will be no response."""
        self.holder = None
        self.result.errback(reason)


classImplements(Exchange, IClientRequest)
