"""Both ends of upstream connections, in memory: the client under test, and what a server would see and say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from llmproxy.apisettings import ConnectionSettings
from llmproxy.upstream.client import PooledClient
from llmproxy.upstream.connection import Connection
from llmproxy.upstream.fieldheaders import FieldHeaders

URL = b"http://192.0.2.1:8000"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Socket(StringTransport):
    """
    A connection as upstream sees it.

    @ivar aborted: the client closed it with a reset.
    @ivar closed: the client closed it in order.
    """

    def __init__(self, clock: Any, protocol: Any) -> None:
        super().__init__()
        self._clock = clock
        self.protocol = protocol
        self.aborted = self.closed = self.over = False
        protocol.makeConnection(self)

    @property
    def open(self) -> bool:
        return not (self.aborted or self.closed or self.over)

    @property
    def paused(self) -> bool:
        return self.producerState == "paused"

    def abortConnection(self) -> None:
        if self.open:
            self.aborted = True
            self._clock.callLater(0, self.end, ConnectionAborted())

    def loseConnection(self) -> None:
        if self.open:
            self.closed = True
            self._clock.callLater(0, self.end, ConnectionDone())

    def write(self, data: bytes) -> None:
        if self.open:
            super().write(data)

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.keeps_alive = enabled

    def end(self, why: Exception) -> None:
        if not self.over:
            self.over = True
            if self.producer is not None:
                self.producer.stopProducing()
            self.protocol.connectionLost(Failure(why))

    # -- what upstream does

    def say(self, *pieces: bytes) -> None:
        """Send bytes, a read each."""
        for piece in pieces:
            if self.open:
                self.protocol.dataReceived(piece)

    def hang_up(self) -> None:
        self.end(ConnectionDone())

    def reset(self) -> None:
        self.end(ConnectionLost())

    def heard(self) -> bytes:
        """What the client sent since the last time."""
        data = self.value()
        self.clear()
        return data


class Wire:
    """
    A client, and the sockets that it opens.

    @ivar sockets: the connections that were accepted, in order.
    """

    def __init__(self, environment: dict[str, str] | None = None, **settings: Any) -> None:
        self.reactor = MemoryReactorClock()
        self.client = PooledClient(
            self.reactor, ConnectionSettings(**settings), environment={} if environment is None else environment
        )
        self.sockets: list[Socket] = []

    @property
    def attempts(self) -> list[Any]:
        """The connections that were tried."""
        return self.reactor.tcpClients

    def accept(self) -> Socket:
        """Let the oldest attempt that waits succeed."""
        factory = self.attempts[len(self.sockets)][2]
        socket = Socket(self.reactor, factory.buildProtocol(None))
        self.sockets.append(socket)
        return socket

    def request(self, method: bytes = b"GET", target: bytes = b"/", fields: Any = (), **others: Any) -> Deferred[Any]:
        return self.client.request(method, URL + target, headers=FieldHeaders(list(fields)), **others)

    def exchange(self, answer: bytes = EMPTY, **request: Any) -> Socket:
        """One exchange that ends well; its socket."""
        before = self.client.pool.opened
        responding = self.request(**request)
        socket = self.accept() if len(self.attempts) > len(self.sockets) else self.sockets[-1]
        socket.say(answer)
        responding.result.body.stopProducing()
        socket.clear()
        assert self.client.pool.opened >= before
        return socket

    def turn(self) -> None:
        """One turn of the reactor."""
        self.reactor.advance(0)

    def quiet(self) -> list[Any]:
        """The timers that are left, but for the wheel's."""
        self.client._wheel.stop()
        return list(self.reactor.getDelayedCalls())


@implementer(IConsumer)
class Reader:
    """Reads a body."""

    def __init__(self, each: Callable[[bytes], object] | None = None) -> None:
        self.chunks: list[bytes] = []
        self._each = each

    @property
    def data(self) -> bytes:
        return b"".join(self.chunks)

    def write(self, data: bytes) -> None:
        self.chunks.append(data)
        if self._each is not None:
            self._each(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        raise AssertionError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise AssertionError("a body is its own producer")


@implementer(IBodyProducer)
class Body:
    """A request body in the hands of a test."""

    def __init__(self, length: Any = UNKNOWN_LENGTH, at_once: bytes | None = None) -> None:
        self.length = length
        self._at_once = at_once
        self.consumer: Any = None
        self.done: Deferred[None] = Deferred()
        self.stopped = 0
        self.paused = False

    @property
    def started(self) -> bool:
        return self.consumer is not None

    def startProducing(self, consumer: Any) -> Deferred[None]:
        if self.started:
            raise AssertionError("a body is started once")
        self.consumer = consumer
        if self._at_once is not None:
            consumer.write(self._at_once)
        return self.done

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.stopped += 1

    def write(self, data: bytes) -> None:
        self.consumer.write(data)

    def finish(self) -> None:
        self.done.callback(None)


class Owner:
    """The owner of one connection, for tests of a connection alone."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def released(self, connection: Connection) -> None:
        self.events.append("released")

    def lost(self, connection: Connection) -> None:
        self.events.append("lost")

    def dropped(self, connection: Connection) -> None:
        self.events.append("dropped")

    def interrupted(self, connection: Connection, exchange: Any, sent: bool, answered: bool) -> None:
        self.events.append("interrupted")
        exchange.fail(Failure(ConnectionError()))
