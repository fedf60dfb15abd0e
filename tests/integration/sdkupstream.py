"""An upstream for SDKs: it notes what it was asked, answers anything with a small JSON object, and speaks WebSocket."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import h11
from attrs import define
from twisted.internet.protocol import Factory, Protocol

from llmproxy.core import websocket
from llmproxy.core.websocket import FrameReader

ANSWER = (
    b'{"id":"x","object":"x","data":[],"name":"x","output":[],"choices":[],"content":[],"candidates":[],"usage":{}}'
)
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@define
class RequestDirectives:
    """
    @ivar body: empty for a WebSocket.
    @ivar complete: the whole of the request came.
    """

    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes = b""
    complete: bool = False


class SdkUpstream(Factory):
    """
    @ivar asked: the requests, in the order in which their heads came.
    @ivar said: the messages of WebSockets.
    @ivar wires: as L{tests.integration.harness.Upstream} has them: none is left to be closed.
    """

    def __init__(self) -> None:
        self.asked: list[RequestDirectives] = []
        self.said: list[bytes] = []
        self.wires: list[Any] = []

    def buildProtocol(self, addr: Any) -> Protocol:
        return _Connection(self)


class _Connection(Protocol):
    def __init__(self, upstream: SdkUpstream) -> None:
        self._upstream = upstream
        self._http = h11.Connection(h11.SERVER)
        self._frames: FrameReader | None = None
        self._message = b""

    def dataReceived(self, data: bytes) -> None:
        if self._frames is not None:
            self._read_frames(data)
            return
        self._http.receive_data(data)
        while True:
            event = self._http.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                return
            self._event(event)

    def _event(self, event: Any) -> None:
        asked = self._upstream.asked
        if isinstance(event, h11.Request):
            asked.append(RequestDirectives(event.method.decode(), event.target.decode(), dict(event.headers)))
            if b"sec-websocket-key" in asked[-1].headers:
                self._accept(asked[-1].headers[b"sec-websocket-key"])
        elif isinstance(event, h11.Data):
            asked[-1].body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage) and self._frames is None:
            asked[-1].complete = True
            fields = [(b"Content-Type", b"application/json"), (b"Content-Length", str(len(ANSWER)).encode())]
            # Gemini's uploads are told where to go on.
            if "/upload/" in asked[-1].path:
                fields.append((b"X-Goog-Upload-Status", b"final"))
            for out in (h11.Response(status_code=200, headers=fields), h11.Data(ANSWER), h11.EndOfMessage()):
                self._write(self._http.send(out) or b"")
            self._http.start_next_cycle()

    def _accept(self, key: bytes) -> None:
        self._frames = FrameReader("client")
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        self._write(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")

    def _read_frames(self, data: bytes) -> None:
        assert self._frames is not None
        for part in self._frames.feed(data):
            if part.frame.opcode == websocket.CLOSE:
                if part.ends:
                    self._write(websocket.close(1000))
            elif not part.frame.control:
                self._message += part.payload
                if part.ends and part.frame.final:
                    self._upstream.said.append(self._message)
                    self._message = b""
                    self._write(websocket.frame(websocket.TEXT, b'{"type":"session.created","setupComplete":{}}'))

    def _write(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)
