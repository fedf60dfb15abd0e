"""A real nginx in front of the proxy: with its defaults, and as the document has it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from llmproxy.config import APIConfig
from llmproxy.core.websocket import PING, frame

from .harness import ProxyTestCase, Wire, get
from .processes import ROOT, free_port

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
DEFAULTS = "server { listen 80; location / { proxy_pass http://127.0.0.1:8080; } }"
AROUND = """daemon off; pid %(directory)s/pid; error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path %(directory)s/a; proxy_temp_path %(directory)s/b; fastcgi_temp_path %(directory)s/c;
    uwsgi_temp_path %(directory)s/d; scgi_temp_path %(directory)s/e;
    %(servers)s
}
"""
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def documented() -> str:
    """The configuration that the document shows."""
    found = re.search(r"```nginx\n(.*?)```", Path(ROOT, "docs", "nginx.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


class NginxTests(ProxyTestCase):
    if NGINX is None:
        skip = "needs nginx"

    def config(self, base_url: str) -> APIConfig:
        return evolve(super().config(base_url), trusted_proxies=["127.0.0.1"])

    async def through(self, servers: str, request: bytes) -> tuple[Wire, Any]:
        """The client of an nginx before our port, and upstream's end, once it has the request."""
        directory, port = os.path.abspath(self.mktemp()), free_port()
        os.mkdir(directory)
        ours = self.service.ports[0].getHost().port
        servers = servers.replace("127.0.0.1:8080", f"127.0.0.1:{ours}").replace(
            "listen 80", f"listen 127.0.0.1:{port}"
        )
        path = Path(directory, "nginx.conf")
        path.write_text(AROUND % {"directory": directory, "servers": servers})
        with open(os.path.join(directory, "stderr"), "w") as errors:
            command = (NGINX or "nginx", "-p", directory, "-c", str(path), "-e", "stderr")
            process = subprocess.Popen(command, stderr=errors, stdout=errors)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        client = await self._connected(port)
        client.send(request.replace(b"TOKEN", self.secret.encode()))
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        return client, wire

    async def _connected(self, port: int) -> Wire:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        for _ in range(500):
            try:
                client = await endpoint.connect(Factory.forProtocol(Wire))
            except ConnectError:
                await deferLater(reactor, 0.02)
            else:
                self._wires.append(client)
                return client
        raise AssertionError("nginx does not listen")

    async def test_defaults(self) -> None:
        """Each event arrives before the next one is sent, whatever nginx does by itself."""
        await self.streams(DEFAULTS)

    async def test_documented(self) -> None:
        """So it is with what the document says."""
        await self.streams(documented())

    async def streams(self, servers: str) -> None:
        client, wire = await self.through(servers, get())
        wire.send(STREAM)
        for event in (b"data: one", b"data: two"):
            wire.send(b"b\r\n" + event + b"\n\n\r\n")
            await client.until_received(event)
        wire.send(b"0\r\n\r\n")

    async def test_leads_back(self) -> None:
        """What points to upstream points to nginx, by the name and the scheme that its client used."""
        request = get(b"/other/v1/x").replace(b"Host: proxy", b"Host: llm.example:8443")
        client, wire = await self.through(documented().replace("$scheme", "https"), request)
        location = b"Location: %b/base/v1/y\r\n" % self.base_url.encode()
        wire.send(b"HTTP/1.1 202 Accepted\r\n" + location + b"Content-Length: 2\r\n\r\nok")
        await client.until_received(b"ok")
        self.assertIn(b"\r\nLocation: https://llm.example:8443/other/v1/y\r\n", client.received)

    async def test_websocket(self) -> None:
        """A WebSocket passes."""
        asking = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x==")
        client, wire = await self.through(documented(), get(b"/v1/x", *asking))
        wire.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        await client.until_received(b"101 Switching")
        client.send(frame(PING, b"there?", mask=True))
        await wire.until(lambda: wire.received.partition(b"\r\n\r\n")[2][:1] == b"\x89")
