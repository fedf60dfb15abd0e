"""Handshakes of TLS with upstream, counted; those of clients are in test_tls.py."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import treq
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from llmproxy.apisettings import ConnectionSettings
from llmproxy.net.poller import Poller
from llmproxy.upstream.client import PooledClient

from ..tables import row
from .certificates import Authority


class Closing(BaseHTTPRequestHandler):
    """Answers, and closes the connection: HTTP/1.0."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: Any) -> None:
        """Nobody reads it."""


class UpstreamTests(TestCase):
    async def test_resumed(self) -> None:
        """The first connection to a host makes a whole handshake, the next ones go on with its session."""
        authority = Authority(self.mktemp())
        cert, key = authority.issue("localhost")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with row(self, version):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(cert, key)
                context.maximum_version = version
                server = ThreadingHTTPServer(("127.0.0.1", 0), Closing)
                server.socket = context.wrap_socket(server.socket, server_side=True)
                thread = threading.Thread(target=server.serve_forever, args=(0.05,))
                thread.start()
                poller = Poller(reactor)
                client = PooledClient(reactor, ConnectionSettings(ca_file=authority.ca_file), poller=poller)
                try:
                    for _ in range(3):
                        answer = await client.request("GET", f"https://localhost:{server.server_port}/")
                        self.assertEqual(await treq.content(answer), b"ok")
                    found = poller.handshakes
                    self.assertEqual((found.upstream, found.upstream_resumed, found.clients), (3, 2, 0))
                finally:
                    await client.close()
                    server.shutdown()
                    thread.join()
                    server.server_close()
