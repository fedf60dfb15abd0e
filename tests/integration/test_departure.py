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
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from .certificates import Authority
from .harness import ProxyTestCase, get

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


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
