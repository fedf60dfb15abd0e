"""HTTP/2 over TLS, as ALPN agrees on it: the same resources."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import SSL4ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import deferLater

from llmproxy.config import APIConfig
from llmproxy.core.clientlimits import Limits
from llmproxy.core.http2.frames import GOAWAY, frame

from .certificates import Authority
from .conversation import Scripted
from .harness import MANAGEMENT_TOKEN, ProxyTestCase, Wire, get
from .vectors import Pause

try:
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.errors import ErrorCodes
    from h2.events import (
        DataReceived,
        InformationalResponseReceived,
        ResponseReceived,
        StreamEnded,
        StreamReset,
        TrailersReceived,
    )
except ImportError:
    H2Connection = None

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Client(Wire):
    """
    A client that speaks HTTP/2.

    @ivar heads: of the responses, by stream.
    @ivar contents: what came of each.
    @ivar ended: how each stream ended: C{"complete"} or C{"reset"}.
    @ivar interim: statuses of 1xx responses, by stream.
    """

    def __init__(self) -> None:
        super().__init__()
        self.http = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self.heads: dict[int, dict[bytes, bytes]] = {}
        self.contents: dict[int, bytes] = {}
        self.ended: dict[int, str] = {}
        self.interim: dict[int, bytes] = {}

    def connectionMade(self) -> None:
        self.http.initiate_connection()
        self.flush()

    def dataReceived(self, data: bytes) -> None:
        for event in self.http.receive_data(data):
            if isinstance(event, (ResponseReceived, TrailersReceived)):
                self.heads.setdefault(event.stream_id, {}).update(event.headers)
            elif isinstance(event, InformationalResponseReceived):
                self.interim[event.stream_id] = dict(event.headers)[b":status"]
            elif isinstance(event, DataReceived):
                self.contents[event.stream_id] = self.contents.get(event.stream_id, b"") + event.data
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self.ended[event.stream_id] = "complete"
            elif isinstance(event, StreamReset):
                self.ended[event.stream_id] = "reset"
        self.flush()
        super().dataReceived(data)

    def begin(self, method: str, path: str, secret: str, *fields: tuple[str, str], end: bool = False) -> int:
        """Send a head; returns its stream."""
        stream: int = self.http.get_next_available_stream_id()
        head = [(":method", method), (":path", path), (":scheme", "https"), (":authority", "proxy")]
        head += [("authorization", f"Bearer {secret}"), *fields]
        self.http.send_headers(stream, head, end_stream=end)
        self.flush()
        return stream

    def ask(self, method: str, path: str, secret: str, *fields: tuple[str, str], body: bytes | None = None) -> int:
        """Send a request; returns its stream."""
        stream = self.begin(method, path, secret, *fields, end=body is None)
        if body is not None:
            while body:
                room = min(self.http.local_flow_control_window(stream), 16_384)
                self.http.send_data(stream, body[:room])
                body = body[room:]
            self.http.end_stream(stream)
            self.flush()
        return stream

    def reset(self, stream: int) -> None:
        self.http.reset_stream(stream, ErrorCodes.CANCEL)
        self.flush()

    def flush(self) -> None:
        assert self.transport is not None
        self.transport.write(self.http.data_to_send())

    async def answer(self, stream: int) -> tuple[bytes, bytes]:
        """Status and content, once the stream has ended."""
        await self.until(lambda: stream in self.ended)
        return self.heads[stream][b":status"], self.contents.get(stream, b"")


class Http2TestCase(ProxyTestCase):
    """A proxy over TLS, and clients that speak HTTP/2 to it."""

    if H2Connection is None:
        skip = "h2 is not installed: pip install 'Twisted[http2]'"
    limits = Limits(target=1000, fields=20, body=100_000, body_silence=0.4, idle=0.3, closing=0.3)

    def make_upstream(self) -> Scripted:
        return Scripted()

    def config(self, base_url: str) -> APIConfig:
        return APIConfig({"api": self.api(base_url)}, "api", self.limits)

    def listen(self) -> str:
        self.authority = Authority(self.mktemp())
        certificate, key = self.authority.issue("localhost")
        return f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"

    async def connected(self, protocols: tuple[bytes, ...] = (b"h2",)) -> Any:
        with open(self.authority.ca_file, "rb") as file:
            trust = trustRootFromCertificates([Certificate.loadPEM(file.read())])
        options = optionsForClientTLS("localhost", trust, acceptableProtocols=list(protocols))
        wire = Client() if b"h2" in protocols else Wire()
        await SSL4ClientEndpoint(reactor, "127.0.0.1", self.port, options).connect(Factory.forProtocol(lambda: wire))
        self._wires.append(wire)
        return wire


class Http2Tests(Http2TestCase):
    async def test_there_and_back(self) -> None:
        """Requests and their bodies reach upstream with the project's key, and the answers come back."""
        client = await self.connected()
        first = client.ask("GET", "/v1/x?y=%2F", self.secret, ("x-a", "b"))
        self.assertEqual(await client.answer(first), (b"200", b"ok"))
        second = client.ask("POST", "/v1/y", self.secret, ("content-length", "3"), body=b"abc")
        self.assertEqual(await client.answer(second), (b"200", b"ok"))
        lines = self.upstream.seen[0].split(b"\r\n")
        self.assertEqual(lines[0], b"GET /v1/x?y=%2F HTTP/1.1")
        self.assertIn(b"Host: " + self.base_url[7:].encode(), lines)
        self.assertIn(b"x-a: b", [line.lower() for line in lines])
        self.assertNotIn(self.secret.encode(), self.upstream.seen[0])
        self.assertTrue(self.upstream.seen[1].endswith(b"\r\n\r\nabc"))

    async def test_together(self) -> None:
        """Streams of one connection are answered as their answers come, not in their order."""
        client = await self.connected()
        self.upstream.begin([(), OK], False)
        slow = client.ask("GET", "/v1/slow", self.secret)
        await self.upstream.until_seen(1)
        quick = client.ask("GET", "/v1/quick", self.secret)
        self.assertEqual(await client.answer(quick), (b"200", b"ok"))
        self.assertNotIn(slow, client.ended)

    async def test_stream(self) -> None:
        """An event reaches the client while the next one does not exist yet."""
        client = await self.connected()
        self.upstream.begin([()], False)
        stream = client.ask("GET", "/v1/x", self.secret)
        await self.upstream.until_seen(1)
        wire = self.upstream.wires[0]
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            wire.send(b"9\r\ndata: %d\n\n\r\n" % number)
            await client.until(lambda number=number: b"data: %d" % number in client.contents.get(stream, b""))
        wire.send(b"0\r\n\r\n")
        self.assertEqual((await client.answer(stream))[0], b"200")

    async def test_cut(self) -> None:
        """A part is never presented as the whole: the stream is reset, and the connection goes on."""
        client = await self.connected()
        self.upstream.begin([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"], False)
        stream = client.ask("GET", "/v1/x", self.secret)
        await client.until(lambda: client.contents.get(stream) == b"abc")
        self.upstream.wires[0].close()
        await client.until(lambda: client.ended.get(stream) == "reset")
        self.assertEqual((await client.answer(client.ask("GET", "/v1/x", self.secret)))[0], b"200")

    async def test_client_leaves(self) -> None:
        """A stream that the client resets ends upstream's connection."""
        client = await self.connected()
        self.upstream.begin([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"], False)
        stream = client.ask("GET", "/v1/x", self.secret)
        await client.until(lambda: client.contents.get(stream) == b"abc")
        client.reset(stream)
        await self.upstream.wires[0].until_closed(1.0)
        await deferLater(reactor, 0.02)
        self.assertEqual([record.ended for record in self.records], ["client_left"])

    async def test_refused(self) -> None:
        """Errors are the same as over HTTP/1.1."""
        client = await self.connected()
        status, content = await client.answer(client.ask("GET", "/v1/x", "sk-" + "B" * 22))
        self.assertEqual((status, b'"token_not_found"' in content), (b"401", True))

    async def test_upload(self) -> None:
        """Upstream has the first piece of an upload while the last one does not exist yet."""
        client = await self.connected()
        self.upstream.begin([OK], False)
        stream = client.begin("POST", "/v1/x", self.secret)
        for piece in (b"one", b"two"):
            client.http.send_data(stream, piece)
            client.flush()
            while not self.upstream.wires:
                await deferLater(reactor, 0.01)
            await self.upstream.wires[0].until_received(b"\r\n3\r\n" + piece)
        client.http.end_stream(stream)
        client.flush()
        self.assertEqual(await client.answer(stream), (b"200", b"ok"))

    async def test_trailers_of_a_request(self) -> None:
        """Trailers beside a Content-Length reach upstream, where they are announced or come with the content."""
        client = await self.connected()
        for fields, pause in ((("trailer", "x-sum"), 0.1), (("x-a", "b"), 0.0)):
            self.upstream.begin([OK], False)
            stream: int = client.http.get_next_available_stream_id()
            head = [(":method", "POST"), (":path", "/v1/x"), (":scheme", "https"), (":authority", "proxy")]
            head += [("authorization", f"Bearer {self.secret}"), ("content-length", "3"), fields]
            client.http.send_headers(stream, head)
            for step in (0, 1):
                if pause:
                    client.flush()
                    await deferLater(reactor, pause)
                if step == 0:
                    client.http.send_data(stream, b"abc")
            client.http.send_headers(stream, [("x-sum", "7")], end_stream=True)
            client.flush()
            self.assertEqual(await client.answer(stream), (b"200", b"ok"), (fields, pause))
            received = self.upstream.seen[0]
            self.assertTrue(received.endswith(b"\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n"), received)
            self.assertNotIn(b"content-length", received.lower())

    async def test_leaving(self) -> None:
        """A client that says GOAWAY gets the answer that it waits for."""
        client = await self.connected()
        self.upstream.begin([(Pause(0.3), OK)], False)
        stream = client.ask("GET", "/v1/x", self.secret)
        client.send(frame(GOAWAY, 0, 0, bytes(8)))
        self.assertEqual(await client.answer(stream), (b"200", b"ok"))
        await client.until_closed()

    async def test_one_malformed(self) -> None:
        """A malformed request ends its stream; another one gets its answer."""
        client = await self.connected()
        self.upstream.begin([(Pause(0.2), OK)], False)
        stream = client.ask("GET", "/v1/x", self.secret)
        client.http.config.validate_outbound_headers = False
        bad = client.ask("GET", "/v1/x", self.secret, ("te", "gzip"))
        self.assertEqual(await client.answer(stream), (b"200", b"ok"))
        self.assertEqual(client.ended[bad], "reset")

    async def test_fault(self) -> None:
        """A fault of the connection closes it, whether the client does or not."""
        client = await self.connected()
        client.send(frame(0, 0, 0, b"x"))
        await client.until_closed(self.limits.closing + 2.0)

    async def test_refused_upload(self) -> None:
        """An upload that is refused is answered before it has come, and the other streams go on."""
        client = await self.connected()
        stream = client.begin("POST", "/v1/x", "sk-" + "B" * 22)
        await client.until(lambda: client.ended.get(stream) == "reset")
        self.assertEqual(client.heads[stream][b":status"], b"401")
        for credential, status in ((self.secret, b"401"), (MANAGEMENT_TOKEN, b"413")):
            fields = (("content-length", "100001"), ("content-type", "application/json"))
            stream = client.begin("POST", "/manage/projects", credential, *fields)
            await client.until(lambda stream=stream: client.ended.get(stream) == "reset")
            self.assertEqual(client.heads[stream][b":status"], status, (credential, status))
        self.assertEqual((await client.answer(client.ask("GET", "/v1/x", self.secret)))[0], b"200")

    async def test_slow_upload(self) -> None:
        """An upload that stops half way is given up, as over HTTP/1.1."""
        client = await self.connected()
        stream = client.begin("POST", "/v1/x", self.secret)
        client.http.send_data(stream, b"x")
        client.flush()
        await client.until(lambda: stream in client.ended)
        self.assertEqual(client.heads[stream][b":status"], b"408")
        self.assertEqual([record.error_code for record in self.records], ["request_timeout"])

    async def test_slow_answer(self) -> None:
        """A client that waits for its answer is not idle."""
        client = await self.connected()
        self.upstream.begin([(Pause(0.8), OK)], False)
        self.assertEqual(await client.answer(client.ask("GET", "/v1/x", self.secret)), (b"200", b"ok"))
        await client.until_closed()

    async def test_all_of_an_answer(self) -> None:
        """Fields as upstream sent them, nothing added; interim responses and trailers pass."""
        client = await self.connected()
        self.upstream.begin(
            [
                b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"
            ],
            False,
        )
        stream = client.ask("GET", "/v1/x", self.secret)
        await client.answer(stream)
        self.assertEqual(client.interim, {stream: b"103"})
        self.assertEqual(
            set(client.heads[stream]) - {b"date", b"request-id"},
            {b":status", b"cache-status", b"via", b"x-a", b"x-request-id", b"x-sum"},
        )

    async def test_other_resources(self) -> None:
        """All resources are there, not only the proxy."""
        client = await self.connected()
        status, content = await client.answer(client.ask("GET", "/health", self.secret))
        self.assertEqual((status, b'"ok"' in content), (b"200", True))

    async def test_http11_over_tls(self) -> None:
        """A client that offers HTTP/1.1, or no ALPN at all, gets that on the same port."""
        for protocols in ((b"http/1.1",), ()):
            wire = await self.connected(protocols)
            wire.send(get().replace(b"TOKEN", self.secret.encode()))
            await wire.until_received(b"\r\n\r\nok")
            self.assertTrue(wire.received.startswith(b"HTTP/1.1 200 OK\r\n"), protocols)
            # An event that waits for the acknowledgement of the one before is 40 ms late.
            self.assertTrue(
                all(channel.transport.getTcpNoDelay() for channel in self.service.site._channels), protocols
            )
