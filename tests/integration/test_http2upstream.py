"""HTTP/2 to real upstreams, Node's and nginx: what a client gets is what it gets over HTTP/1.1."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from llmproxy.apisettings import ConnectionSettings
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.model import CacheConfig, ConnectionConfig
from llmproxy.upstream.client import PooledClient

from .certificates import Authority
from .conversation import Scripted
from .harness import ProxyTestCase, get, post
from .processes import environment, free_port

NODE = shutil.which("node")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
SERVER = Path(__file__).with_name("http2upstream.mjs")
CLOSE = b"Connection: close"

_CONF = """
daemon off; pid nginx.pid; error_log stderr; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {cert}; ssl_certificate_key {key};
    ssl_client_certificate {ca}; ssl_verify_client optional;
    keepalive_requests 10;
    location / {{ default_type text/plain; return 200 "$server_protocol $ssl_client_s_dn\\n"; }}
  }}
}}
"""


Answer = tuple[bytes, dict[bytes, bytes], bytes]
"""The status line, the fields by their names in lower case, and the content."""


class Http2TestCase(ProxyTestCase):
    timeout = 120

    def make_upstream(self) -> Scripted:
        return Scripted()

    def end_upstream(self) -> None:
        self.process.kill()

    def start_upstream(self, key: str, cert: str) -> int:
        """Start what speaks HTTP/2; its port."""
        raise NotImplementedError

    def config(self, base_url: str) -> APIConfig:
        authority = Authority(self.mktemp())
        cert, key = authority.issue("localhost", also=["localhost.example"])
        self.ca_file = authority.ca_file
        port = self.start_upstream(key, cert)
        api: APIProviderConfig = evolve(
            self.api(f"https://localhost:{port}"),
            cache=CacheConfig(enabled=False),
            allowed_methods=["GET", "POST", "HEAD"],
        )
        own_cert, own_key = authority.issue("the-proxy")
        first, second = (
            ConnectionConfig(ca_file=authority.ca_file, http2=http2, client_cert=own_cert, client_key=own_key)
            for http2 in (False, True)
        )
        limited = ConnectionConfig(ca_file=authority.ca_file, http2=True, max_conns_per_host=2)
        apis = {
            "first": evolve(api, connection=first),
            "second": evolve(api, connection=second),
            "limited": evolve(api, connection=limited),
        }
        return APIConfig(apis, "first")

    async def tearDown(self) -> None:  # type: ignore[override]
        await super().tearDown()
        self.end_upstream()
        self.process.communicate()

    async def ask(self, api: bytes, request: bytes, seconds: float = 60.0) -> Answer:
        """Ask for it as a client does, on a connection of its own."""
        client = await self.send(request.replace(b" /v1", b" /" + api + b"/v1", 1))
        await client.until_closed(seconds)
        head, _, body = client.received.partition(b"\r\n\r\n")
        while b" 1" in head[:10] and head[9:10] == b"1":
            head, _, body = body.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        fields = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
        if fields.get(b"transfer-encoding") == b"chunked":
            body = unchunked(body)
        return status, fields, body

    def ask_soon(self, api: bytes, request: bytes) -> Deferred[Answer]:
        """L{ask}, without waiting for it."""
        return Deferred.fromCoroutine(self.ask(api, request))


def unchunked(data: bytes) -> bytes:
    pieces = []
    while data:
        size, _, data = data.partition(b"\r\n")
        if not int(size, 16):
            break
        pieces.append(data[: int(size, 16)])
        data = data[int(size, 16) + 2 :]
    return b"".join(pieces)


class NodeTests(Http2TestCase):
    if NODE is None:
        skip = "needs node"

    def start_upstream(self, key: str, cert: str) -> int:
        self.process = subprocess.Popen(
            [NODE or "node", str(SERVER), key, cert, *self.streams],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        assert self.process.stdout is not None
        self.upstream_port = int(self.process.stdout.readline())
        return self.upstream_port

    streams: tuple[str, ...] = ()

    async def test_same(self) -> None:
        """Small, empty, streamed, large both ways, each status: but for the version the client gets the same."""
        upload = os.urandom(3_000_000)
        for name, request in (
            ("small", get(b"/v1/x?a=%2F&b", CLOSE)),
            ("post", post(b'{"model": "x"}', b"Content-Type: application/json", CLOSE)),
            ("events", get(b"/v1/events", CLOSE)),
            ("large answer", get(b"/v1/bytes?5000001", CLOSE)),
            ("large upload", post(upload, CLOSE)),
            ("chunked", get(b"/v1/x", b"Transfer-Encoding: chunked", CLOSE, method=b"POST") + b"3\r\nabc\r\n0\r\n\r\n"),
            ("head", get(b"/v1/bytes?10", CLOSE, method=b"HEAD")),
            ("204", get(b"/v1/status?204", CLOSE)),
            ("304", get(b"/v1/status?304", CLOSE)),
            ("404", get(b"/v1/status?404", CLOSE)),
            ("trailers", get(b"/v1/trailers", CLOSE)),
        ):
            first, second = [await self.ask(api, request) for api in (b"first", b"second")]
            self.assertEqual((first[1][b"x-version"], second[1][b"x-version"]), (b"1.1", b"2.0"), name)
            self.assertEqual(second[0], first[0], name)
            self.assertTrue(second[2] == first[2], (name, len(second[2]), len(first[2])))
            if name == "large upload":
                self.assertIn(hashlib.sha256(upload).hexdigest().encode(), second[2])
            self.assertEqual(second[1].get(b"content-type"), first[1].get(b"content-type"), name)

    async def test_trailers(self) -> None:
        """Trailers reach the client that says that it takes them, and upstream."""
        for api in (b"first", b"second"):
            client = await self.send(get(b"/" + api + b"/v1/trailers", b"TE: trailers", b"Connection: close, TE"))
            await client.until_closed()
            self.assertRegex(client.received, rb"(?i)\r\n0\r\nx-sum: 7\r\n\r\n$", api)
            request = get(b"/v1/x", b"Transfer-Encoding: chunked", b"Trailer: x-sum", CLOSE, method=b"POST")
            _, _, body = await self.ask(api, request + b"3\r\nabc\r\n0\r\nx-sum: 9\r\n\r\n")
            self.assertTrue(body.endswith(b'{"x-sum":"9"}'), (api, body))

    async def test_tunnel(self) -> None:
        """Through an HTTP proxy, by CONNECT, for both: one tunnel carries all that goes over HTTP/2."""
        tunnels = Tunnels(self.upstream_port)
        listening = reactor.listenTCP(0, tunnels, interface="127.0.0.1")  # type: ignore[attr-defined]
        settings = ConnectionSettings(ca_file=self.ca_file, http2=True)
        proxy = f"http://127.0.0.1:{listening.getHost().port}"
        client = PooledClient(reactor, settings, environment={"HTTPS_PROXY": proxy})
        asked = [client.request("GET", "https://localhost.example/v1/x") for _ in range(10)]
        versions = [(await each).version for each in asked]
        self.assertEqual(
            (versions, tunnels.asked), ([(b"HTTP", 2, 0)] * 10, [b"CONNECT localhost.example:443 HTTP/1.1"])
        )
        await client.close()
        await listening.stopListening()
        for _ in range(100):
            if all(not wire.transport.connected for wire in tunnels.wires):  # type: ignore[union-attr]
                break
            await deferLater(reactor, 0.05)

    async def test_together(self) -> None:
        """A hundred events streams at once come over one connection, each whole."""
        await self.ask(b"second", get(b"/v1/x", CLOSE))
        answers = await gatherResults([self.ask_soon(b"second", get(b"/v1/events", CLOSE)) for _ in range(100)])
        expected = b"".join(b"data: %d\n\n" % number for number in range(20)) + b"data: [DONE]\n\n"
        self.assertEqual({body for _, _, body in answers}, {expected})
        self.assertEqual({fields[b"x-sessions"] for _, fields, _ in answers}, {b"1"})

    async def test_leaving_server(self) -> None:
        """Connections that end after five requests each, under load: no request is lost, and none is made twice."""
        for api in (b"second", b"limited"):
            answers = await gatherResults(
                [self.ask_soon(api, post(b"body %d" % number, CLOSE, path=b"/v1/leave")) for number in range(60)]
            )
            self.assertEqual({status for status, _, _ in answers}, {b"HTTP/1.1 200 OK"}, api)
            expected = {b"%d %b" % (len(each), hashlib.sha256(each).hexdigest().encode()) for each in bodies(60)}
            self.assertEqual({b" ".join(body.split(b" ")[:2]) for _, _, body in answers}, expected, api)

    async def test_ends(self) -> None:
        """What upstream resets before its head is an error, and within the answer cuts it, as over HTTP/1.1."""
        for api in (b"first", b"second"):
            status, _, body = await self.ask(api, post(b"x", CLOSE, path=b"/v1/reset"))
            self.assertTrue(status.startswith(b"HTTP/1.1 502 "), (api, status))
            self.assertIn(b"upstream_reset", body, api)
            status, _, body = await self.ask(api, get(b"/v1/cut", CLOSE))
            self.assertEqual((status, body), (b"HTTP/1.1 200 OK", b"some"), api)
        codes = [(record.status, record.error_code) for record in self.records[-2:]]
        self.assertEqual(codes[0], (502, "upstream_reset"), codes)

    async def test_client_leaves(self) -> None:
        """A client that leaves in the midst of a large answer ends its stream; the connection goes on."""
        await self.ask(b"second", get(b"/v1/x", CLOSE))
        client = await self.send(get(b"/second/v1/bytes?50000000"))
        await client.until(lambda: len(client.received) > 100_000)
        client.transport.abortConnection()  # type: ignore[union-attr]
        await client.until_closed()
        shared = self.service.proxy.generations.current.clients["second"].shared
        for _ in range(200):
            if shared.is_quiet:
                break
            await deferLater(reactor, 0.05)
        self.assertTrue(shared.is_quiet)
        _, fields, _ = await self.ask(b"second", get(b"/v1/x", CLOSE))
        self.assertEqual(fields[b"x-sessions"], b"1")

    async def test_early_hints(self) -> None:
        """An informational response is passed on before the answer."""
        for api in (b"first", b"second"):
            client = await self.send(get(b"/" + api + b"/v1/early", CLOSE))
            await client.until_closed()
            self.assertRegex(
                client.received, rb"(?is)^HTTP/1\.1 103 Early Hints\r\n.*link: </style.css>.*HTTP/1\.1 200 OK"
            )


def bodies(count: int) -> list[bytes]:
    return [b"body %d" % number for number in range(count)]


class TunnelWire(Protocol):
    """A proxy on the way that opens tunnels to one port, wherever they are to lead."""

    factory: Tunnels

    def connectionMade(self) -> None:
        self.factory.wires.append(self)
        self.other: Protocol | None = None

    def dataReceived(self, data: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(data)  # type: ignore[union-attr]
            return
        self.factory.asked.append(data.partition(b"\r\n")[0])
        connecting = TCP4ClientEndpoint(reactor, "127.0.0.1", self.factory.port).connect(
            Factory.forProtocol(lambda: Back(self))
        )
        connecting.addCallback(self._connected)

    def _connected(self, back: Protocol) -> None:
        self.other = back
        self.transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.other is not None:
            self.other.transport.loseConnection()  # type: ignore[union-attr]


class Back(Protocol):
    """The other end of a tunnel."""

    def __init__(self, front: TunnelWire) -> None:
        self._front = front

    def dataReceived(self, data: bytes) -> None:
        self._front.transport.write(data)  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._front.transport.loseConnection()  # type: ignore[union-attr]


class Tunnels(Factory):
    protocol = TunnelWire

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[bytes] = []
        self.wires: list[TunnelWire] = []


class FewStreamsTests(NodeTests):
    """An upstream that takes ten streams at once on a connection."""

    streams = ("10",)

    async def test_together(self) -> None:
        """More at once than that wait, or go over other connections; each is answered."""
        for api in (b"second", b"limited"):
            answers = await gatherResults([self.ask_soon(api, get(b"/v1/events", CLOSE)) for _ in range(60)])
            self.assertEqual({status for status, _, _ in answers}, {b"HTTP/1.1 200 OK"}, api)
        shared = self.service.proxy.generations.current.clients["limited"].shared
        self.assertLessEqual(shared.opened, 2)


class NginxTests(Http2TestCase):
    if NGINX is None:
        skip = "needs nginx"

    def start_upstream(self, key: str, cert: str) -> int:
        directory = self.mktemp()
        os.mkdir(directory)
        port = free_port()
        Path(directory, "nginx.conf").write_text(_CONF.format(port=port, cert=cert, key=key, ca=self.ca_file))
        command = [NGINX or "nginx", "-p", os.path.abspath(directory), "-c", "nginx.conf", "-e", "stderr"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory)
        return port

    def end_upstream(self) -> None:
        # Killed, it would leave its workers behind.
        self.process.terminate()

    async def test_load(self) -> None:
        """nginx says GOAWAY after ten requests of a connection: of two hundred, none is lost."""
        for _ in range(100):
            status, _, _ = await self.ask(b"second", get(b"/v1/x", CLOSE))
            if status == b"HTTP/1.1 200 OK":
                break
            await deferLater(reactor, 0.1)
        asked = [self.ask_soon(b"second", get(b"/v1/x", CLOSE)) for _ in range(200)]
        answers = await gatherResults(asked)
        self.assertEqual(
            {(status, body) for status, _, body in answers}, {(b"HTTP/1.1 200 OK", b"HTTP/2.0 CN=the-proxy\n")}
        )
