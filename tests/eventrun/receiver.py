"""
A process that takes batches of events over HTTP, and writes down the id and the digest of each before it answers.

What it has written it has, however it ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .events import POISON


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    file = -1

    def do_POST(self) -> None:
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if any(event["path"] == POISON for event in events):
            self._answer(400)
            return
        lines = [f"{event['id']} {digest(event)}\n" for event in events]
        os.write(self.file, "".join(lines).encode())
        self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *values: Any) -> None:
        """Nothing."""


def digest(event: Any) -> str:
    """Of an event as it is in JSON."""
    return hashlib.sha1(json.dumps(event, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A dispatcher was killed."""


def main() -> None:
    port, path = int(sys.argv[1]), sys.argv[2]
    Handler.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    Server(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
