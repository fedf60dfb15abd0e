"""Clients that close their side and wait, or that have left, over real sockets."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import tempfile
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from llmproxy.web.http1.departure import LOOK

from .certificates import Authority
from .harness import ProxyTestCase, get

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
POST = b"POST /v1/x HTTP/1.1\r\nHost: p\r\nAuthorization: Bearer TOKEN\r\n"
CHUNK = b"10000\r\n" + bytes(65536) + b"\r\n"


class PlainTests(ProxyTestCase):
    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)

    def close_side(self, connection: http.client.HTTPConnection) -> None:
        connection.sock.shutdown(socket.SHUT_WR)

    def read(self) -> Deferred[Any]:
        """What Python's client makes of an answer, when it has closed its side after the request."""

        def ask() -> Any:
            connection = self.connection()
            try:
                connection.request("GET", "/v1/x", headers={"Authorization": f"Bearer {self.secret}"})
                self.close_side(connection)
                response = connection.getresponse()
                return response.status, response.read()
            except (http.client.HTTPException, OSError) as failure:
                return type(failure)
            finally:
                connection.close()

        return deferToThread(ask)

    async def test_waits(self) -> None:
        """It gets its answer."""
        reading = self.read()
        upstream = await self.upstream.wire()
        await upstream.until_received(b"\r\n\r\n")
        await deferLater(reactor, 0.3)
        upstream.send(CHUNKED + b"3\r\nabc\r\n")
        await deferLater(reactor, 0.3)
        upstream.send(b"2\r\nde\r\n0\r\n\r\n")
        self.assertEqual(await reading, (200, b"abcde"))

    async def test_cut(self) -> None:
        """A stream that is cut does not look whole."""
        reading = self.read()
        upstream = await self.upstream.wire()
        await upstream.until_received(b"\r\n\r\n")
        upstream.send(CHUNKED + b"3\r\nabc\r\n")
        await deferLater(reactor, 0.5)
        upstream.close()
        self.assertIn(await reading, (http.client.IncompleteRead, ConnectionResetError))


class TlsTests(PlainTests):
    """Over TLS nobody closes one side only."""

    def listen(self) -> str:
        self.authority = Authority(self.mktemp())
        certificate, key = self.authority.issue("localhost")
        return f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"

    def connection(self) -> http.client.HTTPConnection:
        context = ssl.create_default_context(cafile=self.authority.ca_file)
        return http.client.HTTPSConnection("localhost", self.port, timeout=5, context=context)

    def close_side(self, connection: http.client.HTTPConnection) -> None:
        pass


class LeavingTests(ProxyTestCase):
    """Clients that have left, in order."""

    async def test_silent(self) -> None:
        """One that leaves within a stream that is silent ends upstream's answer, and did not see a whole one."""
        client = await self.send(get())
        upstream = await self.upstream.wire()
        await upstream.until_received(b"\r\n\r\n")
        upstream.send(CHUNKED + b"3\r\nabc\r\n")
        await client.until_received(b"abc")
        client.close()
        await upstream.until_closed(3.0)
        await deferLater(reactor, 0.05)
        self.assertEqual([record.ended for record in self.records], ["client_left"])

    async def test_before_the_head(self) -> None:
        """A client that has left ends upstream's request, although it closed in order."""
        client = await self.send(get())
        upstream = await self.upstream.wire()
        await upstream.until_received(b"\r\n\r\n")
        client.close()
        await upstream.until_closed(3.0)
        await deferLater(reactor, 0.05)
        self.assertEqual([record.ended for record in self.records], ["client_left"])

    async def test_within_the_answer(self) -> None:
        """So does one that left within it, with the next piece that it is sent."""
        client = await self.send(get())
        upstream = await self.upstream.wire()
        await upstream.until_received(b"\r\n\r\n")
        upstream.send(CHUNKED + b"3\r\nabc\r\n")
        await client.until_received(b"abc")
        client.close()
        await deferLater(reactor, 0.1)
        upstream.send(b"3\r\ndef\r\n")
        await upstream.until_closed(3.0)
        await deferLater(reactor, 0.05)
        self.assertEqual([record.ended for record in self.records], ["client_left"])

    async def left_in_upload(self, framing: bytes, content: bytes, resets: bool = False) -> None:
        """Leave an upload that upstream does not read."""
        client = await self.send(POST + framing)
        upstream = await self.upstream.wire()
        await upstream.until_received(b"\r\n\r\n")
        upstream.transport.pauseProducing()  # type: ignore[union-attr]
        await self.until_paused(client, content)
        if resets:
            client.transport.abortConnection()  # type: ignore[union-attr]
        else:
            # At once: not when all that was sent has been taken.
            client.transport.connectionLost(Failure(ConnectionDone()))  # type: ignore[union-attr]
        for _ in range(60):
            if self.records:
                break
            await deferLater(reactor, 0.05)
        self.assertEqual([record.ended for record in self.records], ["client_left"])
        upstream.transport.resumeProducing()  # type: ignore[union-attr]
        await upstream.until_closed(3.0)

    async def until_paused(self, client: Any, content: bytes) -> None:
        """Send until the proxy has stopped to read; the system has room for the end then."""
        (channel,) = self.service.site._channels
        still = 0
        while still < 10:
            still = 0 if channel._reading else still + 1
            if channel._reading:
                client.send(content)
            await deferLater(reactor, 0.01)

    async def test_upload_reset(self) -> None:
        """A client that resets an upload which upstream does not read is noticed meanwhile."""
        await self.left_in_upload(b"Content-Length: 30000000\r\n\r\n", bytes(65536), resets=True)

    async def test_upload_cut(self) -> None:
        """So is one that closes in order before the end of its body."""
        await self.left_in_upload(b"Content-Length: 30000000\r\n\r\n", bytes(65536))

    async def test_upload_chunked(self) -> None:
        """And one of whose body nobody knows the end."""
        await self.left_in_upload(b"Transfer-Encoding: chunked\r\n\r\n", CHUNK)

    async def test_upload_waits(self) -> None:
        """One that has sent all of its body, closes its side and waits gets its answer, however late it is read."""
        client = await self.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        upstream = await self.upstream.wire()
        await upstream.until_received(b"\r\n\r\n")
        upstream.transport.pauseProducing()  # type: ignore[union-attr]
        await self.until_paused(client, CHUNK)
        client.send(b"0\r\n\r\n")
        client.transport.loseWriteConnection()  # type: ignore[union-attr]
        await deferLater(reactor, 3 * LOOK)
        upstream.transport.resumeProducing()  # type: ignore[union-attr]
        await upstream.until_received(b"\r\n0\r\n\r\n")
        upstream.send(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n")
        await client.until_closed()
        self.assertTrue(client.received.startswith(b"HTTP/1.1 200 "), client.received)
        self.assertTrue(client.received.endswith(b"3\r\nabc\r\n0\r\n\r\n"))


class UnixTests(LeavingTests):
    """The same over a Unix socket, as from an nginx on the same machine."""

    def listen(self) -> str:
        self.directory = tempfile.mkdtemp(prefix="llmproxy-")
        return f"unix:{self.directory}/proxy.sock"

    async def tearDown(self) -> None:  # type: ignore[override]
        await super().tearDown()
        shutil.rmtree(self.directory)

    def endpoint(self) -> UNIXClientEndpoint:
        return UNIXClientEndpoint(reactor, f"{self.directory}/proxy.sock")

    async def test_waits(self) -> None:
        """One that closes its side and waits gets its answer here too."""
        client = await self.send(get())
        client.transport.loseWriteConnection()  # type: ignore[union-attr]
        upstream = await self.upstream.wire()
        await upstream.until_received(b"\r\n\r\n")
        await deferLater(reactor, 0.3)
        upstream.send(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n")
        await client.until_closed()
        self.assertTrue(client.received.startswith(b"HTTP/1.1 200 "))
        self.assertTrue(client.received.endswith(b"3\r\nabc\r\n0\r\n\r\n"))
