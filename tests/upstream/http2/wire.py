"""Both ends of HTTP/2 connections to upstream, in memory: the pool under test, and a server of h2 for each socket."""

from __future__ import annotations

from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, TrailersReceived
from h2.settings import SettingCodes, Settings
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import HEAD_LIMIT, ConnectionSettings
from llmproxy.net.poller import Poller
from llmproxy.net.timers import TimerWheel
from llmproxy.upstream.client import Destination, PooledClient
from llmproxy.upstream.connection import Connection
from llmproxy.upstream.http2.connection import SharedConnection
from llmproxy.upstream.http2.site import SharedPool

from ..wire import Socket

ORIGIN = b"https://up.example"
OK = [(b":status", b"200")]


class Upstream:
    """
    One connection as a server sees it.

    @ivar heads: of the requests that came, by stream; C{bodies}, C{trailers} and C{resets} too; C{ended}: streams that
        the client has ended.
    """

    def __init__(self, socket: Socket, most: int | None, takes: bool = True) -> None:
        self.socket = socket
        self.takes = takes
        self.http = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        if most is not None:
            self.http.local_settings = Settings(False, {SettingCodes.MAX_CONCURRENT_STREAMS: most})
        self.heads: dict[int, list[tuple[bytes, bytes]]] = {}
        self.bodies: dict[int, bytes] = {}
        self.trailers: dict[int, list[tuple[bytes, bytes]]] = {}
        self.resets: dict[int, int] = {}
        self.ended: set[int] = set()
        self.http.initiate_connection()

    def hear(self) -> None:
        """Read what the client has written."""
        for event in self.http.receive_data(self.socket.heard()):
            if isinstance(event, RequestReceived):
                self.heads[event.stream_id] = [tuple(pair) for pair in event.headers]
                self.bodies[event.stream_id] = b""
            elif isinstance(event, DataReceived):
                self.bodies[event.stream_id] += event.data
                if self.takes:
                    self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, TrailersReceived):
                self.trailers[event.stream_id] = [tuple(pair) for pair in event.headers]
            elif isinstance(event, StreamReset):
                self.resets[event.stream_id] = event.error_code
            elif isinstance(event, StreamEnded):
                self.ended.add(event.stream_id)

    def flush(self) -> None:
        """Let the client read what was said, and read its answer."""
        self.hear()
        while data := self.http.data_to_send():
            self.socket.say(data)
            self.hear()

    def answer(self, stream: int, body: bytes = b"", *fields: tuple[bytes, bytes], status: bytes = b"200") -> None:
        """A whole answer, in one read."""
        self.hear()
        self.http.send_headers(stream, [(b":status", status), *fields], end_stream=not body)
        if body:
            self.http.send_data(stream, body, end_stream=True)
        self.flush()

    def say(self, *frames: bytes) -> None:
        """Bytes that h2 would not send."""
        self.hear()
        self.socket.say(*frames)


class Http2Wire:
    """
    A client over HTTP/2, and the sockets that it opens.

    @ivar upstreams: the connections that were accepted, in order.
    @ivar waiting: those that are being opened.
    @param most: streams that upstream takes at once.
    """

    def __init__(self, most: int | None = 100, **settings: Any) -> None:
        self.clock = Clock()
        self.clock.advance(100)
        self.most = most
        chosen = ConnectionSettings(proxy_from_environment=False, http2=True, **settings)
        self.client = PooledClient(self.clock, chosen, wheel=TimerWheel(self.clock))
        self.poller = Poller(self.clock)
        assert self.client.shared is not None
        self.pool: SharedPool = self.client.shared
        self.pool.connect = self._connect
        self.client.pool.connect = self._connect
        self.upstreams: list[Upstream] = []
        self.waiting: list[tuple[Any, Deferred[Any]]] = []
        self.http1: list[Socket] = []

    def _connect(self, site: Any) -> Deferred[Any]:
        connecting: Deferred[Any] = Deferred(lambda _: self.waiting.remove(next(w for w in self.waiting if w[1] is _)))
        self.waiting.append((site, connecting))
        return connecting

    def accept(self, settle: bool = True) -> Upstream:
        """Let the oldest attempt that waits succeed, and upstream choose HTTP/2."""
        site, connecting = self.waiting.pop(0)
        connection = SharedConnection(site, poller=self.poller, tls=None, head_limit=HEAD_LIMIT)
        upstream = Upstream(Socket(self.clock, connection), self.most)
        self.upstreams.append(upstream)
        connecting.callback(connection)
        if settle:
            upstream.flush()
        return upstream

    def accept_http1(self) -> Socket:
        """Let it succeed, and upstream choose HTTP/1.1."""
        site, connecting = self.waiting.pop(0)
        owner = getattr(site, "http1", site)
        connection = Connection(owner, poller=self.poller)
        socket = Socket(self.clock, connection)
        self.http1.append(socket)
        connecting.callback(connection)
        return socket

    def refuse(self, error: Exception) -> None:
        self.waiting.pop(0)[1].errback(error)

    @property
    def destination(self) -> Destination:
        return self.client.destination(ORIGIN)

    @property
    def site(self) -> Any:
        return self.destination.shared

    def ask(
        self, method: bytes = b"GET", target: bytes = b"/", data: Any = None, fields: Any = (), **others: Any
    ) -> Any:
        return self.client.request(method, ORIGIN + target, headers=dict(fields) or None, data=data, **others)

    def send(self, method: bytes, fields: list[tuple[bytes, bytes]], data: Any = None, **others: Any) -> Deferred[Any]:
        """With fields in their order and case."""
        return self.client.send(self.destination, method, b"/x", fields, data, **others)

    def turn(self, seconds: float = 0.0) -> None:
        self.clock.advance(0)
        for _ in range(round(seconds / 0.1)):
            self.clock.advance(0.1)


class SiteTestCase(SynchronousTestCase):
    def opened(self, most: int | None = 100, **settings: Any) -> tuple[Http2Wire, Upstream]:
        """A connection that has served one exchange."""
        held = Http2Wire(most, **settings)
        first = held.ask()
        held.accept().answer(1)
        self.successResultOf(first)
        return held, held.upstreams[0]

    def statuses(self, asked: list[Deferred[Any]]) -> list[int]:
        return [self.successResultOf(each).code for each in asked]

    def answer_all(self, held: Http2Wire) -> None:
        """Let all upstreams answer all that has come, and accept what is opened, until nothing is left."""
        for _ in range(100):
            for upstream in held.upstreams:
                upstream.hear()
                answered = {stream for stream in upstream.heads if stream not in upstream.http.streams}
                for stream in [each for each in upstream.heads if each not in answered]:
                    if not upstream.http.streams[stream].closed and upstream.socket.open:
                        upstream.answer(stream)
            if not held.waiting:
                return
            while held.waiting:
                held.accept()
