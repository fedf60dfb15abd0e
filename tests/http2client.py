"""Bytes of a client over HTTP/2, for counting what they cost the proxy."""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection

from .harness import SECRET, Exchange, Socket

BODY = b'{"model":"demo","messages":[{"role":"user","content":"Hello there"}]}'
HEAD = [
    (":method", "POST"),
    (":scheme", "https"),
    (":authority", "proxy"),
    (":path", "/v1/chat/completions"),
    ("authorization", "Bearer " + SECRET.decode()),
    ("content-type", "application/json"),
    ("accept", "application/json"),
    ("user-agent", "OpenAI/Python"),
    ("content-length", str(len(BODY))),
]


class Http2Connection:
    """A connection of a client; what the proxy sends is taken at once."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.socket = Socket(exchange.site.http2_connection(), "192.0.2.7")
        self._http = H2Connection(H2Configuration(header_encoding=None))
        self._http.initiate_connection()
        self.take()
        self.exchange.clock.advance(0)

    def post(self) -> bytes:
        """A small POST."""
        stream = self._http.get_next_available_stream_id()
        self._http.send_headers(stream, HEAD)
        self._http.send_data(stream, BODY, end_stream=True)
        return self._http.data_to_send()

    def take(self) -> None:
        """Read what came, and send what has to be said about it."""
        self.exchange.turn()
        for event in self._http.receive_data(self.socket.take()):
            size = getattr(event, "flow_controlled_length", 0)
            if size:
                self._http.acknowledge_received_data(size, event.stream_id)
        data = self._http.data_to_send()
        if data:
            self.socket.receive(data)
