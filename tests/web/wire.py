"""A client's connection to the server channel, in memory: what it sent, what it took, how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import ITCPTransport, ITransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import alsoProvides, implementer

from llmproxy.core.clientlimits import Limits
from llmproxy.web.http1.channel import LlhttpChannel
from llmproxy.web.resources import StreamingResource
from llmproxy.web.site import ProxySite

PRODUCER_LIMIT = 64 * 1024
"""What Twisted's transports buffer before they pause who writes to them."""


class Handle:
    """
    @ivar error: what the socket would say about its peer.
    @ivar options: what was set.
    """

    error = 0

    def __init__(self) -> None:
        self.options: dict[tuple[int, int], int] = {}

    def fileno(self) -> int:
        return -1

    def getsockopt(self, level: int, option: int) -> int:
        return self.error

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options[level, option] = value


@implementer(ITransport)
class Transport:
    """
    Keeps Twisted's rules: the loss comes later, pausing above L{PRODUCER_LIMIT}, no close under a paused producer.

    @ivar sent: what the client took.
    @ivar writes: how often something was written.
    @ivar unsent: what it did not take yet.
    @ivar room: how many bytes more it takes; C{None} is without limit.
    @ivar ended: C{"closed"} or C{"reset"}; C{""} while it is open.
    @ivar half_closed: the server sends no more.
    """

    def __init__(self, clock: Clock, host: str) -> None:
        self._clock = clock
        self._host = host
        self.protocol: Any = None
        self.sent = b""
        self.writes = 0
        self.unsent = b""
        self.room: int | None = None
        self.reading = True
        self.ended = ""
        self.half_closed = False
        self.disconnecting = False
        self.handle = Handle()
        self._producer: Any = None
        self._producer_paused = False
        self._arrived = b""
        self._client_ended = False

    @property
    def dataBuffer(self) -> bytes:
        return self.unsent

    # -- what the protocol does

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes)
        if self.ended or self.half_closed:
            return
        self.unsent += data
        self.writes += 1
        self._flow()
        if len(self.unsent) > PRODUCER_LIMIT and self._producer is not None and not self._producer_paused:
            self._producer_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, pieces: Iterable[bytes]) -> None:
        self.write(b"".join(pieces))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert self._producer is None, "two producers"
        assert streaming
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None
        self._producer_paused = False
        self._close_if_done()

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True
        if self._arrived:
            self._clock.callLater(0, self._deliver)

    def stopProducing(self) -> None:
        self.loseConnection()

    def loseConnection(self) -> None:
        self.disconnecting = True
        self._close_if_done()

    def abortConnection(self) -> None:
        if not self.ended:
            self.unsent = b""
            self._end("reset", ConnectionAborted())

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", self._host, 40000)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.99", 80)

    def getHandle(self) -> Handle:
        return self.handle

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def getTcpNoDelay(self) -> bool:
        return self.no_delay

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.keeps_alive = enabled

    def getTcpKeepAlive(self) -> bool:
        return self.keeps_alive

    # -- what the client does

    def deliver(self, data: bytes) -> None:
        """Bytes of the client arrive, and are read when the protocol reads."""
        self._arrived += data
        self._deliver()

    def take(self, size: int | None) -> None:
        """The client reads so many bytes more; C{None} for all that there is and will be."""
        self.room = None if size is None else (self.room or 0) + size
        self._flow()

    def end(self) -> None:
        """The client closes its side of the connection."""
        self._client_ended = True
        self._deliver()

    def reset(self) -> None:
        """The client is gone."""
        if not self.ended:
            self._end("closed", ConnectionDone())

    # -- the network between them

    def _deliver(self) -> None:
        while self._arrived and self.reading and not self.ended:
            data, self._arrived = self._arrived[:65536], self._arrived[65536:]
            self.protocol.dataReceived(data)
        if self._client_ended and not self._arrived and self.reading and not self.ended:
            self._client_ended = False
            if self.half_closed or self.disconnecting:
                self._end("closed", ConnectionDone())
            else:
                self.reading = False
                self.protocol.readConnectionLost()

    def _flow(self) -> None:
        room = len(self.unsent) if self.room is None else min(self.room, len(self.unsent))
        if self.room is not None:
            self.room -= room
        self.sent += self.unsent[:room]
        self.unsent = self.unsent[room:]
        if not self.unsent and self._producer_paused:
            self._producer_paused = False
            self._clock.callLater(0, self._resume)
        self._close_if_done()

    def _resume(self) -> None:
        if self._producer is not None and not self.ended:
            self._producer.resumeProducing()

    def _close_if_done(self) -> None:
        if self.disconnecting and not self.unsent and not self._producer_paused and not self.ended:
            self._end("closed", ConnectionDone())

    def _end(self, how: str, reason: Exception) -> None:
        self.ended = how
        self._clock.callLater(0, lambda: self.protocol.connectionLost(Failure(reason)))


class Consumer:
    """Reads a request's body."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)

    def write(self, data: bytes) -> None:
        self.pieces.append(data)


class Seen:
    """One request that has reached a resource."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.line = (request.method, request.uri)
        self.consumer = Consumer()
        self.left: list[Failure] = []
        self.body: Deferred[None] | None = None
        self.ended: list[Any] = []

    def read(self) -> None:
        """Start the body."""
        self.body = self.request.body.startProducing(self.consumer)
        self.body.addBoth(self.ended.append)

    def answer(self, content: bytes = b"ok", status: int = 200) -> None:
        self.request.write_head(status, b"OK", [], len(content))
        self.request.write(content)
        self.request.finish()


class Whole(Resource):
    """Answers C{ok} when the body is here."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[bytes, bytes, bytes]] = []

    def render(self, request: Any) -> Any:
        self.requests.append((request.method, request.uri, request.content.read()))
        return b"ok"


class Streaming(StreamingResource):
    """Notes the requests; the test answers them."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Seen] = []

    def render(self, request: Any) -> int:
        seen = Seen(request)
        request.on_disconnect = seen.left.append
        self.seen.append(seen)
        return NOT_DONE_YET


class Echo(StreamingResource):
    """Reads a stream to its end and then answers with method, target, body and trailers."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.called = 0

    def render(self, request: Any) -> int:
        self.called += 1
        seen = Seen(request)
        if request.body is None:
            self._answer(None, seen)
        else:
            seen.body = request.body.startProducing(seen.consumer)
            seen.body.addCallbacks(self._answer, lambda _: request.abort(), callbackArgs=(seen,))
        return NOT_DONE_YET

    def _answer(self, _: None, seen: Seen) -> None:
        trailers = b"".join(b"|%b=%b" % pair for pair in getattr(seen.request.body, "trailers", ()))
        seen.answer(b" ".join(seen.line) + b" " + seen.consumer.data + trailers)


class Client:
    """
    One connection to a site.

    @param site: of another connection, to share it.
    @param tcp: the transport is plain TCP, which can close one side only.
    """

    def __init__(
        self,
        resource: Any = None,
        *,
        limits: Limits | None = None,
        site: ProxySite | None = None,
        clock: Clock | None = None,
        host: str = "192.0.2.1",
        tcp: bool = True,
    ) -> None:
        self.clock = clock = Clock() if clock is None else clock
        self.refusals: list[tuple[int, str, str, str, str]] = []
        if site is None:
            site = ProxySite(
                resource, reactor=clock, limits=limits, on_refusal=lambda *refusal: self.refusals.append(refusal)
            )
        self.site = site
        self.transport = transport = Transport(clock, host)
        if tcp:
            alsoProvides(transport, ITCPTransport)
        self.channel = transport.protocol = LlhttpChannel(site)
        self.channel.makeConnection(transport)
        self.run()

    def run(self) -> None:
        """Let the reactor turn."""
        for _ in range(10):
            self.clock.advance(0)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.transport.deliver(piece)
            self.run()

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.1] * round(seconds * 10))
        self.run()

    def leave(self) -> None:
        self.transport.reset()
        self.run()

    @property
    def received(self) -> bytes:
        return self.transport.sent

    @property
    def status(self) -> int:
        """Of the last response; 0 if nothing came."""
        responses = self.received.split(b"HTTP/1.1 ")
        return int(responses[-1][:3]) if len(responses) > 1 else 0

    @property
    def ended(self) -> str:
        return self.transport.ended


def get(target: bytes = b"/", *fields: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    """A request without a body."""
    return b"\r\n".join([b"%b %b HTTP/%b" % (method, target, version), b"Host: a", *fields, b"", b""])


def post(body: bytes, *fields: bytes, target: bytes = b"/") -> bytes:
    """A request whose length is known."""
    return get(target, b"Content-Length: %d" % len(body), *fields, method=b"POST") + body


def chunked(*chunks: bytes, trailers: bytes = b"", target: bytes = b"/") -> bytes:
    """A request in chunks."""
    coded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return get(target, b"Transfer-Encoding: chunked", method=b"POST") + coded + b"0\r\n" + trailers + b"\r\n"
