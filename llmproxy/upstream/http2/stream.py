"""
One exchange on its stream of an HTTP/2 connection to upstream.

What comes is noted event by event, and passed on once all that was read together has been noted (L{settle}): a small
answer is then whole, and a large one goes on in pieces of the size of a read. What the reader of an answer has not
taken counts against the window of its stream, and no other.
"""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH

from ...bodies import BytesBody
from ...core.fields import forwardable
from ...core.http2.frames import ErrorCode
from ...core.http2.requestsection import request_section
from ...errors import UpstreamProtocolError, UpstreamReset
from ..body import UpstreamBody
from ..response import UpstreamResponse
from .upload import StreamUpload

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.http2.clientmachine import ClientMachine
    from ...core.http2.events import ResponseReceived
    from ...message import Field, Fields
    from ...net.timers import Deadline
    from ..exchange import Exchange

_HTTP2 = 2
"""In the place of a minor version of HTTP/1."""

_CONTINUE = 100
_REJECTED = 300


class Carrier(Protocol):
    """The connection, for its streams: L{llmproxy.upstream.http2.connection.SharedConnection} is one."""

    @property
    def machine(self) -> ClientMachine: ...

    def ready(self, stream: int, /) -> None:
        """C{stream} has something to send."""

    def flush(self) -> None:
        """What the machine has to say is to be written, now or when what was read has been handled."""

    def over(self, stream: UpstreamStream, code: int | None, /) -> None:
        """C{stream} has ended; C{code} is to be said to upstream where it has not ended for it."""

    def later(self, proceed: Callable[[], None], /) -> Deadline | None:
        """Call C{proceed} when upstream has said nothing to an C{Expect} for long enough; C{None} for never."""

    def interrupted(
        self, exchange: Exchange, *, sent: bool, answered: bool, refused: bool = False, http1: bool = False
    ) -> None:
        """
        No response to C{exchange} will come here.

        @param refused: upstream says that nobody has looked at it.
        @param http1: and that it wants it over HTTP/1.1.
        """


class UpstreamStream:
    """
    @ivar number: of the stream.
    """

    __slots__ = (
        "_body",
        "_carrier",
        "_complete",
        "_content",
        "_exchange",
        "_flowing",
        "_head",
        "_heard",
        "_interims",
        "_over",
        "_owed",
        "_reset",
        "_size",
        "_trailers",
        "_upload",
        "number",
    )

    def __init__(self, carrier: Carrier, exchange: Exchange) -> None:
        self._carrier = carrier
        self._exchange: Exchange | None = exchange
        self._upload: StreamUpload | None = None
        self._body: UpstreamBody | None = None
        self._head: ResponseReceived | None = None
        self._interims: list[tuple[int, Fields]] = []
        self._content: list[bytes] = []
        self._trailers: list[Field] = []
        self._reset: tuple[int, str, bool] | None = None
        self._size = self._owed = 0
        self._flowing = self._complete = self._over = self._heard = False
        self.number = 0

    # -- sending

    def begin(self) -> int:
        """Send the head of the request; its stream."""
        exchange = self._exchange
        assert exchange is not None
        exchange.holder = self
        if exchange.sent is not None:
            exchange.sent.attempts += 1
        body, length = exchange.body, exchange.length
        announced = length if body is not None and type(length) is int else None
        authority = exchange.origin.partition(b"://")[2]
        section = request_section(exchange.method, authority, exchange.target, exchange.fields, announced)
        self.number = self._carrier.machine.begin(section, body is None)
        return self.number

    def send_body(self) -> None:
        """Send the content, or as much of it as there is."""
        exchange = self._exchange
        if exchange is None or exchange.body is None:
            return
        whole = exchange.whole
        if whole is not None:
            upload = self._upload = StreamUpload(self, None, exchange.length)
            upload.add(memoryview(whole)[len(exchange.head) :])
            self.ready()
            return
        upload = self._upload = StreamUpload(self, exchange.body, exchange.length)
        if exchange.expects:
            upload.ask(self._carrier.later)
            return
        upload.start()
        if upload.kept is not None:
            exchange.whole = exchange.head + upload.kept

    def ready(self) -> None:
        """See L{llmproxy.upstream.http2.upload.Outlet}."""
        self._carrier.ready(self.number)

    def send_one(self) -> tuple[int, bool]:
        """Send one frame: how many bytes it had, and whether another one could be sent now."""
        upload, machine = self._upload, self._carrier.machine
        if upload is None or not upload.waits:
            return 0, False
        room = machine.local_flow_control_window(self.number)
        if not room and not upload.is_over:
            return 0, False
        piece = upload.take(room)
        if not upload.is_over:
            machine.send_data(self.number, piece)
            upload.go_on()
            return len(piece), upload.waits and machine.local_flow_control_window(self.number) > 0
        self._upload = None
        trailers = upload.trailers
        if piece or not trailers:
            machine.send_data(self.number, piece, not trailers)
        if trailers:
            machine.send_headers(self.number, [(name.lower(), value) for name, value in trailers], True)
        return len(piece), False

    def window_opened(self) -> None:
        if self._upload is not None and self._upload.waits:
            self.ready()

    def upload_failed(self, reason: Failure) -> None:
        """The request cannot be completed: upstream must not take its first part for the whole."""
        self.cut(reason)

    # -- receiving: noted event by event

    def interim(self, status: int, fields: Fields) -> None:
        self._heard = True
        self._interims.append((status, fields))

    def headed(self, head: ResponseReceived) -> None:
        self._heard = True
        self._head = head
        self._complete = head.ended

    def received(self, content: bytes, size: int, ended: bool) -> None:
        if content:
            self._content.append(content)
        self._size += size
        self._complete = ended

    def ended_with(self, trailers: Fields) -> None:
        self._trailers.extend(trailers)
        self._complete = True

    def reset(self, code: int, detail: str, by_peer: bool) -> None:
        self._reset = (code, detail, by_peer)

    # -- receiving: passed on

    def settle(self) -> None:
        """All that was read together has been noted."""
        if self._over:
            return
        if self._interims:
            self._pass_interims()
        if self._exchange is not None and self._head is not None:
            self._answer(self._exchange, self._head)
        elif self._body is not None:
            self._more(self._body)
        if self._reset is not None and not self._over:
            self._ended_early(*self._reset)

    def _pass_interims(self) -> None:
        interims, self._interims = self._interims, []
        for status, fields in interims:
            exchange = self._exchange
            if status == _CONTINUE:
                # It is passed on by asking the client for its body, where that was what upstream was asked for.
                if self._upload is not None:
                    self._upload.proceed()
            elif exchange is not None and exchange.on_interim is not None:
                exchange.on_interim(status, phrase(status), forwardable(fields))

    def _taken(self) -> bytes:
        """What has come, which is noted as not taken yet."""
        content, self._content = self._content, []
        self._owed += self._size
        self._size = 0
        return content[0] if len(content) == 1 else b"".join(content)

    def _answer(self, exchange: Exchange, head: ResponseReceived) -> None:
        self._exchange = None
        content = self._taken()
        length: int | object = UNKNOWN_LENGTH if head.length is None else head.length
        body: UpstreamBody | BytesBody | None = None
        # RFC 9110 section 6.4.1: what can only be empty is not waited for.
        complete = self._complete or head.bodiless
        if not complete:
            body = self._body = UpstreamBody(length, content, self)
        elif not head.bodiless:
            body = BytesBody(content, length)
        response = UpstreamResponse(
            exchange, head.status, phrase(head.status), _HTTP2, list(head.fields), self._trailers, length, body
        )
        if complete:
            self._finish()
        elif self._upload is not None and head.status >= _REJECTED:
            # As over HTTP/1.1: upstream has answered, and does not want the rest.
            self._stop_upload()
        exchange.succeed(response)

    def _more(self, body: UpstreamBody) -> None:
        content = self._taken()
        if content:
            body.received(content)
        if self._complete and self._body is body:
            self._body = None
            self._finish()
            body.ended(None)
        elif self._flowing:
            self._give_back()

    def _give_back(self) -> None:
        owed, self._owed = self._owed, 0
        if owed and not self._over:
            self._carrier.machine.acknowledge_received_data(owed, self.number)

    def _finish(self) -> None:
        """The response is complete."""
        self._stop_upload()
        self._leave(ErrorCode.CANCEL)

    def _leave(self, code: int | None) -> None:
        """Nothing of this stream is of interest any more."""
        if not self._over:
            self._owed += self._size
            self._size = 0
            self._content.clear()
            self._give_back()
            self._over = True
            self._carrier.over(self, code)

    # -- for the reader of the response

    def pause(self) -> None:
        self._flowing = False

    def resume(self) -> None:
        self._flowing = True
        if self._owed:
            self._give_back()
            self._carrier.flush()

    def abandon(self) -> None:
        """The client has left: end this stream at once, and none of the others. Only an upload notices."""
        self._exchange = self._body = None
        self._stop_upload()
        self._leave(ErrorCode.CANCEL)

    def forget(self, exchange: Exchange) -> None:
        """The exchange was cancelled before its response head came."""
        self.abandon()

    # -- ends

    def cut(self, reason: Failure) -> None:
        """End it at once, and fail the exchange with C{reason}."""
        exchange, body = self._exchange, self._body
        self.abandon()
        if exchange is not None:
            exchange.fail(reason)
        elif body is not None:
            body.ended(reason)

    def lost(self) -> None:
        """The connection is gone."""
        self._interrupt()

    def _ended_early(self, code: int, detail: str, by_peer: bool) -> None:
        if not by_peer:
            self.cut(Failure(UpstreamProtocolError(f"upstream's response over HTTP/2: {detail}")))
            return
        refused = not self._heard and code in _REFUSED
        self._interrupt(refused, code == ErrorCode.HTTP_1_1_REQUIRED)

    def _interrupt(self, refused: bool = False, http1: bool = False) -> None:
        """No more of the response will come here; perhaps elsewhere."""
        exchange, self._exchange = self._exchange, None
        body, self._body = self._body, None
        upload, self._upload = self._upload, None
        if upload is not None:
            if exchange is not None:
                exchange.begun = upload.begun
            if upload.begun or exchange is None:
                upload.stop()
            else:
                upload.detach()
        self._leave(None)
        if body is not None:
            body.ended(Failure(UpstreamReset(cause="cut_short", progress="answered")))
        elif exchange is not None:
            self._carrier.interrupted(
                exchange, sent=not refused, answered=self._heard, refused=refused, http1=refused and http1
            )

    def _stop_upload(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.stop()


_REFUSED = (ErrorCode.REFUSED_STREAM, ErrorCode.HTTP_1_1_REQUIRED)
"""RFC 9113 section 7: what says that nothing was done with the request."""


@lru_cache(256)
def phrase(status: int) -> bytes:
    """The usual reason phrase, which HTTP/2 does not have; empty for a status that nobody knows."""
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b""
