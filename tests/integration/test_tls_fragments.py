"""Clients that ask for small records of TLS (RFC 6066 section 4) get what is whole; with the program of OpenSSL."""

from __future__ import annotations

import os
import shutil
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded
from h2.settings import SettingCodes
from twisted.internet import reactor
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from ..tables import row
from .certificates import Authority
from .harness import ProxyTestCase, Wire, get

SIZES = (1, 300, 511, 512, 513, 5_000, 16_383, 16_384, 16_385, 70_000, 3_000_000)


class Program(ProcessProtocol):
    """OpenSSL's client: what the proxy says comes to C{wire}."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.said = b""

    def outReceived(self, data: bytes) -> None:
        self.wire.dataReceived(data)

    def errReceived(self, data: bytes) -> None:
        self.said += data

    def processEnded(self, reason: Failure) -> None:
        reason.trap(ProcessDone, ProcessTerminated)
        self.wire.connectionLost(reason)


class _ToProgram:
    """What a L{Wire} needs of a transport."""

    def __init__(self, process: Any) -> None:
        self.write = process.write
        self._process = process

    def abortConnection(self) -> None:
        self._process.signalProcess("KILL")


class FragmentTests(ProxyTestCase):
    timeout = 120
    options: tuple[str, ...] = ()

    def listen(self) -> str:
        authority = Authority(self.mktemp())
        certificate, key = authority.issue("localhost")
        return f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"

    async def setUp(self) -> None:  # type: ignore[override]
        if shutil.which("openssl") is None:
            self.skipTest("the program openssl is not installed")
        await super().setUp()

    async def client(self) -> Wire:
        wire = Wire()
        spawn: Any = reactor
        arguments = ["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{self.port}", *self.options]
        process = spawn.spawnProcess(Program(wire), "openssl", arguments, os.environ)
        sends: Any = _ToProgram(process)
        wire.transport = sends
        self._wires.append(wire)
        return wire

    async def answer(self, number: int, body: bytes) -> None:
        """The next request on the only connection of upstream gets this."""
        upstream = await self.upstream.wire()
        await upstream.until(lambda: upstream.received.count(b"\r\n\r\n") == number)
        upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def tables(self) -> list[tuple[str, ...]]:
        return [(length, version) for length in ("512", "1024", "2048", "4096") for version in ("-tls1_2", "-tls1_3")]

    async def test_http1(self) -> None:
        asked = 0
        for length, version in self.tables():
            self.options = ("-maxfraglen", length, version)
            client = await self.client()
            for size in SIZES:
                with row(length, version, size):
                    body = os.urandom(size)
                    asked += 1
                    client.received = b""
                    client.send(get().replace(b"TOKEN", self.secret.encode()))
                    await self.answer(asked, body)
                    await client.until_received(b"\r\n\r\n")
                    head = client.received.index(b"\r\n\r\n") + 4
                    await client.until(lambda: len(client.received) >= head + size, 20)
                    self.assertEqual(client.received[head:], body)

    async def test_http2(self) -> None:
        asked = 0
        for length, version in self.tables():
            self.options = ("-maxfraglen", length, version, "-alpn", "h2")
            client = await self.client()
            http = H2Connection(H2Configuration(header_encoding=None))
            http.initiate_connection()
            http.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**30})
            http.increment_flow_control_window(2**30)
            for size in SIZES:
                with row(length, version, size):
                    body = os.urandom(size)
                    asked += 1
                    stream = http.get_next_available_stream_id()
                    http.send_headers(
                        stream,
                        [
                            (":method", "GET"),
                            (":scheme", "https"),
                            (":authority", "proxy"),
                            (":path", "/v1/x"),
                            ("authorization", f"Bearer {self.secret}"),
                        ],
                        end_stream=True,
                    )
                    client.send(http.data_to_send())
                    await self.answer(asked, body)
                    self.assertEqual(await self.whole(client, http), body)

    async def whole(self, client: Wire, http: H2Connection) -> bytes:
        """The body of the answer that comes."""
        body = b""
        while True:
            await client.until(lambda: bool(client.received), 20)
            received, client.received = client.received, b""
            for event in http.receive_data(received):
                if isinstance(event, DataReceived):
                    body += event.data
                elif isinstance(event, StreamEnded):
                    return body
