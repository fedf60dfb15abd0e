"""A collector that speaks OTLP over HTTP: it reads what comes by the published protobuf, and answers as it should."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..otlp import Received, Span


class Collector:
    """
    @ivar received: what it has taken.
    @ivar requests: path and fields of each request that came, taken or not.
    @ivar statuses: what the next requests are answered with, in place of 200.
    @ivar url: its base URL.
    """

    def __init__(self, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.received = Received()
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.statuses: list[int] = []
        self.is_closed = False
        self._lock = threading.Lock()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if collector.is_closed:
                    # One that is kept would be answered by a collector that is gone.
                    self.close_connection = True
                    return
                fields = {name.lower(): value for name, value in self.headers.items()}
                status = collector.take(self.path, fields, body)
                self.send_response(status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nothing on stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        scheme = "http"
        if context is not None:
            scheme = "https"
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"{scheme}://localhost:{self.port}" if context is not None else f"{scheme}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def take(self, path: str, fields: dict[str, str], body: bytes) -> int:
        """The status of a request."""
        with self._lock:
            self.requests.append((path, fields))
            status = self.statuses.pop(0) if self.statuses else 200
            if status == 200:
                self.received.take(path, fields.get("content-encoding", ""), body)
            return status

    def wait(self, condition: Callable[[Received], object], seconds: float = 15.0) -> Received:
        """Until something is true of what has come."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with self._lock:
                if condition(self.received):
                    return self.received
            time.sleep(0.02)
        raise AssertionError(f"never came; there is {self.received}")

    def spans(self, count: int) -> list[Span]:
        """The first so many that are there, in the order of their starts, an exchange before its calls."""
        self.wait(lambda received: len(received.spans) >= count)
        return sorted(self.received.spans, key=lambda span: (span.start, span.kind == "client"))

    def close(self) -> None:
        self.is_closed = True
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
