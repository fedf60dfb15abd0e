"""A client's connection over HTTP/2, in memory: what it sent, what it took, how each stream ended."""

from __future__ import annotations

from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.settings import SettingCodes
from twisted.internet.task import Clock

from llmproxy.core.clientlimits import Limits
from llmproxy.web.http2.connection import Http2Connection
from llmproxy.web.site import ProxySite

from .wire import Transport

Header = tuple[str | bytes, str | bytes]


class Http2Client:
    """
    @ivar heads: of the responses, by stream.
    @ivar contents: what came of each.
    @ivar interim: statuses of 1xx responses, by stream.
    @ivar trailers: what came behind the content.
    @ivar ended: C{"complete"}, or the code of a reset.
    @ivar goaway: the code with which the server left; C{None} if it did not.
    @ivar takes: what comes is acknowledged, so that more can come.
    @param window: bytes that a response may be ahead of what the client took.
    """

    def __init__(self, resource: Any, limits: Limits | None = None, window: int = 65_535, strict: bool = True) -> None:
        self.clock = Clock()
        self.refusals: list[tuple[int, str, str, str, str]] = []
        self.site = ProxySite(
            resource, reactor=self.clock, limits=limits, on_refusal=lambda *refusal: self.refusals.append(refusal)
        )
        self.heads: dict[int, dict[bytes, bytes]] = {}
        self.contents: dict[int, bytes] = {}
        self.interim: dict[int, list[bytes]] = {}
        self.trailers: dict[int, list[tuple[bytes, bytes]]] = {}
        self.ended: dict[int, str] = {}
        self.goaway: int | None = None
        self.takes = True
        self._read = 0
        self.http = H2Connection(
            H2Configuration(header_encoding=None, validate_outbound_headers=strict, normalize_outbound_headers=strict)
        )
        self.transport = transport = Transport(self.clock, "192.0.2.1")
        self.connection = transport.protocol = Http2Connection(self.site)
        self.connection.makeConnection(transport)
        transport.registerProducer(self.connection, True)
        self.http.initiate_connection()
        if window != 65_535:
            self.http.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
            self.http.increment_flow_control_window(window - 65_535)
        self.run()

    def run(self) -> None:
        """Let both sides say what they have to."""
        for _ in range(40):
            data = self.http.data_to_send()
            if data and not self.transport.ended:
                self.transport.deliver(data)
            self.clock.advance(0)
            self._take()

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)
            self.run()

    def _take(self) -> None:
        sent = self.transport.sent
        data, self._read = sent[self._read :], len(sent)
        if data:
            for event in self.http.receive_data(data):
                self._note(event)

    def _note(self, event: Any) -> None:
        if isinstance(event, ResponseReceived):
            self.heads[event.stream_id] = dict(event.headers)
        elif isinstance(event, InformationalResponseReceived):
            self.interim.setdefault(event.stream_id, []).append(dict(event.headers)[b":status"])
        elif isinstance(event, TrailersReceived):
            self.trailers[event.stream_id] = [tuple(pair) for pair in event.headers]
        elif isinstance(event, DataReceived):
            self.contents[event.stream_id] = self.contents.get(event.stream_id, b"") + event.data
            if self.takes:
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            self.ended.setdefault(event.stream_id, "complete")
        elif isinstance(event, StreamReset):
            self.ended[event.stream_id] = f"{self.ended.get(event.stream_id, '')} {event.error_code.name}".strip()
        elif isinstance(event, ConnectionTerminated):
            self.goaway = int(event.error_code)

    def begin(self, method: str = "POST", path: str = "/", *fields: Header, end: bool = False) -> int:
        """Send a head; returns its stream."""
        head: list[Header] = [(":method", method), (":path", path), (":scheme", "https"), (":authority", "a")]
        return self.send_section([*head, *fields], end)

    def send_section(self, section: list[Header], end: bool) -> int:
        stream: int = self.http.get_next_available_stream_id()
        self.http.send_headers(stream, section, end_stream=end)
        self.run()
        return stream

    def get(self, path: str = "/", *fields: Header, method: str = "GET") -> int:
        return self.begin(method, path, *fields, end=True)

    def post(self, body: bytes, path: str = "/", *fields: Header) -> int:
        """Head and body in one write."""
        stream: int = self.http.get_next_available_stream_id()
        head: list[Header] = [(":method", "POST"), (":path", path), (":scheme", "https"), (":authority", "a"), *fields]
        self.http.send_headers(stream, head)
        self.http.send_data(stream, body, end_stream=True)
        self.run()
        return stream

    def send(self, stream: int, data: bytes, end: bool = False) -> None:
        self.http.send_data(stream, data, end_stream=end)
        self.run()

    def fill(self, stream: int) -> int:
        """Send as much as the windows allow; returns how much."""
        sent = 0
        while room := min(self.http.local_flow_control_window(stream), 16_384):
            self.http.send_data(stream, b"x" * room)
            sent += room
        self.run()
        return sent

    def reset(self, stream: int) -> None:
        self.http.reset_stream(stream)
        self.run()

    def take(self, stream: int, size: int) -> None:
        """Take so much of what came."""
        self.http.acknowledge_received_data(size, stream)
        self.run()

    def status(self, stream: int) -> int:
        """0 if nothing came."""
        return int(self.heads.get(stream, {}).get(b":status", b"0"))
