"""An upstream whose every answer is given by the test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import RESPONSES
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH
from zope.interface import implementer

from ..upstream.fieldheaders import FieldHeaders

if TYPE_CHECKING:
    from twisted.internet.protocol import Protocol

    from ..message import Field


class HeldUpstream:
    """
    For C{TransparentProxy(upstream_client=…)}: it takes every request, and answers none by itself.

    @ivar calls: all of them, in their order.
    """

    def __init__(self) -> None:
        self.calls: list[UpstreamCall] = []
        self._taken = 0

    def request(
        self, method: str, url: str, headers: Headers | None = None, data: Any = None, **_: Any
    ) -> Deferred[Any]:
        """What treq's C{HTTPClient} has; called by the proxy."""
        call = UpstreamCall(method, url, headers, data)
        self.calls.append(call)
        return call.responding

    def next(self) -> UpstreamCall:
        """
        The first call that this has not returned yet.

        @raise AssertionError: there is none.
        """
        assert self._taken < len(self.calls), f"upstream was called {len(self.calls)} times, and not once more"
        self._taken += 1
        return self.calls[self._taken - 1]


@implementer(IConsumer, IPushProducer)
class UpstreamCall:
    """
    One request at upstream.

    @ivar method: C{"POST"}, for example.
    @ivar url: whole, with its query.
    @ivar fields: pairs in wire order.
    @ivar body: what has come of it; its end is C{body_ended}.
    @ivar cancelled: the proxy has given it up, before its head or in its body.
    @ivar paused: nobody wants more of the answer for now.
    """

    def __init__(self, method: str, url: str, headers: Headers | None, data: Any) -> None:
        self.method = method
        self.url = url
        self.fields: list[Field] = list(FieldHeaders.of(headers).pairs)
        self.body = b""
        self.body_ended = False
        self.cancelled = self.paused = False
        self.responding: Deferred[Any] = Deferred(lambda _: self.stopProducing())
        self._reader: Protocol | None = None
        self._missing: int | None = None
        self._waiting = b""
        self._end: Failure | None = None
        self._upload: Any = None
        self._take(data)

    def header(self, name: str) -> str | None:
        """The first field of this name, in any case."""
        found = (value for each, value in self.fields if each.lower() == name.lower().encode("ascii"))
        value = next(found, None)
        return None if value is None else value.decode("latin-1")

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def answer(self, status: int = 200, body: bytes = b"", fields: Sequence[Field] = ()) -> None:
        """Answer with all of it at once."""
        self.head(status, fields, len(body))
        self.write_answer(body)
        self.end()

    def head(self, status: int = 200, fields: Sequence[Field] = (), length: Any = UNKNOWN_LENGTH) -> None:
        """
        Answer with a head; the body comes by L{write_answer}, and ends with L{end} or L{fail}.

        @param length: of the body in bytes, if upstream says so; then the test must keep to it.
        """
        self._missing = None if length is UNKNOWN_LENGTH else length
        self.responding.callback(_Response(self, status, fields, length))

    def write_answer(self, data: bytes) -> None:
        """A piece of the answer's body."""
        assert self.responding.called, "the head comes first"
        if self._missing is not None:
            self._missing -= len(data)
            assert self._missing >= 0, f"{-self._missing} bytes more than the length that was said"
        if self._reader is None:
            self._waiting += data
        elif data and not self.cancelled:
            self._reader.dataReceived(data)

    def end(self) -> None:
        """The answer is complete."""
        assert not self._missing, f"{self._missing} bytes less than the length that was said: fail() breaks it off"
        self._finish(Failure(ResponseDone()))

    def fail(self, error: Exception) -> None:
        """
        The connection breaks, before the head or after it.

        @param error: of Twisted's: C{ConnectionRefusedError}, C{ConnectionLost}, C{ResponseFailed} and their like.
        """
        if self.responding.called:
            self._finish(Failure(error))
        else:
            self.responding.errback(error)

    # -- the proxy's end

    def write(self, data: bytes) -> None:
        """A piece of the request's body."""
        self.body += data

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Bodies are paused by themselves."""

    def unregisterProducer(self) -> None:
        """See L{registerProducer}."""

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.cancelled = True
        if self._upload is not None and not self.body_ended:
            self._upload.stopProducing()

    def deliver(self, reader: Protocol) -> None:
        """Somebody reads the answer."""
        self._reader = reader
        reader.makeConnection(self)
        waiting, self._waiting = self._waiting, b""
        if waiting:
            reader.dataReceived(waiting)
        if self._end is not None:
            reader.connectionLost(self._end)

    def _finish(self, reason: Failure) -> None:
        self._end = reason
        if self._reader is not None and not self.cancelled:
            self._reader.connectionLost(reason)

    def _take(self, data: Any) -> None:
        if data is None or isinstance(data, bytes):
            self.body, self.body_ended = data or b"", True
            return
        self._upload = data
        data.startProducing(self).addCallbacks(self._uploaded, lambda _: None)

    def _uploaded(self, result: object) -> None:
        self.body_ended = True


class _Response:
    """What treq's client would fire with: as much of it as the proxy reads."""

    version = (b"HTTP", 1, 1)

    def __init__(self, call: UpstreamCall, status: int, fields: Sequence[Field], length: Any) -> None:
        self.code = status
        self.phrase = RESPONSES.get(status) or b""
        self.length = length
        self.headers = Headers()
        for name, value in fields:
            self.headers.addRawHeader(name, value)
        self.deliverBody = call.deliver
