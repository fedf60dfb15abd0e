"""Every way in which an exchange can end before its time, seen from both ends and in its one record."""

from __future__ import annotations

import socket

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import deferLater

from llmproxy.config import APIProviderConfig, BreakerConfig, TimeoutConfig
from llmproxy.message import Record

from .harness import ProxyTestCase, Wire, get, post

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"


class EndingsTestCase(ProxyTestCase):
    async def record(self) -> Record:
        """The one record of the exchange, once it has ended."""
        for _ in range(100):
            if self.records:
                break
            await deferLater(reactor, 0.02)
        await deferLater(reactor, 0.02)
        [record] = self.records
        return record

    async def streaming(self) -> tuple[Wire, Wire]:
        """An exchange in the middle of its answer: the client's end, and upstream's."""
        client = await self.send(get())
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(STREAM)
        await client.until_received(b"data: 1")
        return client, wire


class ClientLeavesTests(EndingsTestCase):
    """Whenever the client leaves, upstream's connection closes within a second, and one record says so."""

    async def test_before_the_head(self) -> None:
        client = await self.send(get())
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        client.close()
        await wire.until_closed(1.0)
        self.assertEqual((await self.record()).ended, "client_left")

    async def test_in_the_body(self) -> None:
        """Nothing more comes of upstream: silence decides."""
        client, wire = await self.streaming()
        client.close()
        await wire.until_closed(3.0)
        record = await self.record()
        self.assertEqual((record.ended, record.status, record.bytes_out), ("client_left", 200, 9))

    async def test_reset_in_the_body(self) -> None:
        client, wire = await self.streaming()
        client.transport.abortConnection()  # type: ignore[union-attr]
        await wire.until_closed(1.0)
        self.assertEqual((await self.record()).ended, "client_left")

    async def test_while_upstream_floods(self) -> None:
        """A client that does not read and then goes: upstream was held back, and is closed."""
        client = await self.send(get())
        client.transport.pauseProducing()  # type: ignore[union-attr]
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        wire.send(b"x" * 50_000_000)
        await deferLater(reactor, 0.3)
        client.transport.abortConnection()  # type: ignore[union-attr]
        await wire.until_closed(1.0)
        record = await self.record()
        self.assertEqual(record.ended, "client_left")
        self.assertLess(record.bytes_out, 30_000_000)

    async def test_in_the_upload(self) -> None:
        """Half an upload has reached upstream, which is told that the rest will not come."""
        client = await self.send(post(b"x" * 200_000)[:-50])
        wire = await self.upstream.wire()
        await wire.until(lambda: wire.received.count(b"x") > 150_000)
        client.close()
        await wire.until_closed(1.0)
        record = await self.record()
        self.assertEqual((record.ended, record.status), ("client_left", 499))
        self.assertGreater(record.bytes_in, 150_000)

    async def test_in_the_head(self) -> None:
        """Of a request whose head is not complete nothing reaches upstream."""
        client = await self.send(get()[:-2])
        await deferLater(reactor, 0.05)
        client.close()
        await client.until_closed()
        self.assertEqual((self.upstream.wires, self.records), ([], []))


class UpstreamDiesTests(EndingsTestCase):
    """A part is never presented as the whole."""

    async def test_in_a_chunked_body(self) -> None:
        client, wire = await self.streaming()
        wire.close()
        await client.until_closed()
        self.assertFalse(client.received.endswith(b"0\r\n\r\n"))
        self.assertEqual((await self.record()).ended, "upstream_failed")

    async def test_in_a_counted_body(self) -> None:
        client = await self.send(get())
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await client.until_received(b"half")
        wire.close()
        await client.until_closed()
        self.assertTrue(client.received.endswith(b"half"))
        self.assertEqual((await self.record()).ended, "upstream_failed")

    async def test_before_the_head(self) -> None:
        client = await self.send(get())
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.close()
        await client.until_received(b'"code":"upstream_reset"')
        self.assertTrue(client.received.startswith(b"HTTP/1.1 502 "))
        self.assertEqual((await self.record()).ended, "upstream_failed")

    async def test_nonsense(self) -> None:
        for answer in (
            b"SSH-2.0-OpenSSH\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nBad header: x\r\n\r\n",
        ):
            number = len(self.upstream.wires)
            client = await self.send(get())
            wire = await self.upstream.wire(number)
            await wire.until_received(b"\r\n\r\n")
            wire.send(answer)
            await client.until_received(b'"code":"upstream_protocol_error"')
            self.assertTrue(client.received.startswith(b"HTTP/1.1 502 "), answer)
            await wire.until_closed(1.0)

    async def test_bad_chunk_in_the_body(self) -> None:
        client, wire = await self.streaming()
        wire.send(b"zz\r\n")
        await client.until_closed()
        self.assertFalse(client.received.endswith(b"0\r\n\r\n"))

    async def test_refused(self) -> None:
        await maybeDeferred(self._upstream_port.stopListening)
        client = await self.send(get())
        await client.until_received(b'"code":"upstream_unreachable"')
        self.assertTrue(client.received.startswith(b"HTTP/1.1 502 "))

    async def test_kept_connection_was_closed(self) -> None:
        """A connection that upstream closed while it was idle costs nobody a request."""
        client = await self.send(get())
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await client.until_received(b"ok")
        wire.close()
        await deferLater(reactor, 0.05)
        client.send(post(b"again").replace(b"TOKEN", self.secret.encode()))
        second = await self.upstream.wire(1)
        await second.until_received(b"again")
        second.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
        await client.until_received(b"fine")

    async def test_kept_connection_closes_under_the_request(self) -> None:
        """Once the request is on its way, one that is safe to repeat is repeated, once; a POST is not."""
        for request, again in ((get(b"/v1/safe"), True), (post(b"unsafe"), False)):
            number = len(self.upstream.wires)
            client, wire = await self._kept(number)
            client.send(request.replace(b"TOKEN", self.secret.encode()))
            await wire.until_received(b"safe")
            wire.close()
            if again:
                second = await self.upstream.wire(number + 1)
                await second.until_received(b"/v1/safe")
                second.transport.abortConnection()  # type: ignore[union-attr]
            await client.until_received(b'"code":"upstream_reset"')
            self.assertEqual(len(self.upstream.wires), number + 1 + again, (request, again))

    async def test_kept_connection_closes_as_the_request_comes(self) -> None:
        """Where the closing and the request come at the same moment, nothing was sent yet: a POST is repeated too."""
        client, wire = await self._kept(0)
        wire.close()
        client.send(post(b"again").replace(b"TOKEN", self.secret.encode()))
        second = await self.upstream.wire(1)
        await second.until_received(b"again")
        second.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
        await client.until_received(b"fine")

    async def _kept(self, number: int) -> tuple[Wire, Wire]:
        """A client and upstream, after an exchange that has left their connections open."""
        client = await self.send(get())
        wire = await self.upstream.wire(number)
        await wire.until_received(b"\r\n\r\n")
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await client.until_received(b"ok")
        return client, wire


class BreakerTests(EndingsTestCase):
    def api(self, base_url: str) -> APIProviderConfig:
        return evolve(super().api(base_url), breaker=BreakerConfig(statuses=[502, 503, 504]))

    async def test_breaker(self) -> None:
        """A8: after five failures the sixth request is refused without reaching upstream; other tenants are not."""
        for number in range(5):
            client = await self.send(get(b"/v1/%d" % number))
            wire = await self.upstream.wire(0)
            await wire.until_received(b"/v1/%d " % number)
            wire.send(b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 4\r\n\r\nslow")
            await client.until_received(b"slow")
        client = await self.send(get(b"/v1/sixth"))
        await client.until_received(b'"code":"circuit_open"')
        self.assertTrue(client.received.startswith(b"HTTP/1.1 503 "))
        self.assertIn(b"\r\nRetry-After: ", client.received)
        self.assertNotIn(b"sixth", self.upstream.wires[0].received)
        self.secret = await self.new_token()
        await self.send(get(b"/v1/other-tenant"))
        await self.upstream.wires[0].until_received(b"/v1/other-tenant")


class TimeoutTests(EndingsTestCase):
    def timeouts(self) -> TimeoutConfig:
        return TimeoutConfig(response_header=0.3, silence=0.3, request=None)

    async def test_head(self) -> None:
        """An upstream that never answers gets a 504 said of it, and is closed."""
        client = await self.send(get())
        wire = await self.upstream.wire()
        await client.until_received(b'"code":"timeout"')
        self.assertTrue(client.received.startswith(b"HTTP/1.1 504 "))
        self.assertIn(b"response_header", client.received)
        await wire.until_closed(1.0)
        self.assertEqual((await self.record()).ended, "timeout")

    async def test_silence(self) -> None:
        """A stream that falls silent is broken off."""
        client, wire = await self.streaming()
        await client.until_closed(2.0)
        await wire.until_closed(1.0)
        self.assertEqual((await self.record()).ended, "timeout")

    async def test_keeps_talking(self) -> None:
        """A stream that keeps talking outlives head and silence timeouts many times over."""
        client, wire = await self.streaming()
        for _ in range(8):
            await deferLater(reactor, 0.15)
            wire.send(b"9\r\ndata: 2\n\n\r\n")
        wire.send(b"0\r\n\r\n")
        await client.until_received(b"0\r\n\r\n")
        self.assertEqual((await self.record()).ended, "complete")

    async def test_slow_reader(self) -> None:
        """A reader that takes its time is not upstream's silence."""
        client = await self.send(get())
        client.transport.pauseProducing()  # type: ignore[union-attr]
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + b"x" * 20_000_000)
        await deferLater(reactor, 1.0)
        client.transport.resumeProducing()  # type: ignore[union-attr]
        await client.until(lambda: len(client.received) > 20_000_000)
        self.assertEqual((await self.record()).ended, "complete")


class WholeTimeoutTests(EndingsTestCase):
    def timeouts(self) -> TimeoutConfig:
        return TimeoutConfig(request=0.5)

    async def test_whole(self) -> None:
        """The limit of the whole exchange cuts even a stream that talks."""
        client, wire = await self.streaming()
        for _ in range(20):
            if client.closed is not None:
                break
            await deferLater(reactor, 0.1)
            wire.send(b"9\r\ndata: 2\n\n\r\n")
        self.assertIsNotNone(client.closed)
        self.assertEqual((await self.record()).ended, "timeout")


class ConnectTests(EndingsTestCase):
    def api(self, base_url: str) -> APIProviderConfig:
        self.full = socket.socket()
        self.addCleanup(self.full.close)
        self.full.bind(("127.0.0.1", 0))
        self.full.listen(0)
        # A backlog that is full: whoever connects further waits.
        self.clog = [socket.socket() for _ in range(4)]
        for one in self.clog:
            one.setblocking(False)
            one.connect_ex(self.full.getsockname())
            self.addCleanup(one.close)
        return APIProviderConfig(
            base_url=f"http://127.0.0.1:{self.full.getsockname()[1]}",
            allowed_endpoints=["/v1"],
            allowed_methods=["GET"],
            timeouts=TimeoutConfig(connect=0.3),
        )

    async def test_connect(self) -> None:
        """Connecting has a limit of its own."""
        client = await self.send(get())
        await client.until_received(b'"code":"timeout"')
        self.assertTrue(client.received.startswith(b"HTTP/1.1 504 "))
        self.assertIn(b"connect", client.received)


class StopTests(EndingsTestCase):
    async def test_drains(self) -> None:
        """While stopping, a running stream may end; the record says it did."""
        client, wire = await self.streaming()
        stopping = self.service.stopService()
        await deferLater(reactor, 0.05)
        wire.send(b"0\r\n\r\n")
        await client.until_received(b"0\r\n\r\n")
        await stopping
        self.assertEqual((await self.record()).ended, "complete")

    async def test_second_signal(self) -> None:
        """Who does not want to wait for the drain does not have to, before it or while it runs."""
        client, _ = await self.streaming()
        self.service.proxy.ending.within(60.0)
        stopping = self.service.stopService()
        await deferLater(reactor, 0.05)
        self.assertFalse(stopping.called)
        self.service.end_drain()
        await stopping
        await client.until_closed()
        self.assertEqual((await self.record()).ended, "shutdown")

    async def test_cuts_at_last(self) -> None:
        """What has not ended when the drain is over is cut, and recorded as that."""
        client, _ = await self.streaming()
        await self.service.stopService()
        await client.until_closed()
        self.assertEqual((await self.record()).ended, "shutdown")

    async def test_refuses_while_draining(self) -> None:
        """A connection that stays open gets no new work from a proxy that stops."""
        client = await self.client()
        self.service.proxy.ending.draining = True
        client.send(get().replace(b"TOKEN", self.secret.encode()))
        await client.until_received(b'"code":"draining"')
        self.assertIn(b"\r\nRetry-After: 5\r\n", client.received)

    async def test_revoked(self) -> None:
        """A running stream is cut when its token is revoked."""
        client, wire = await self.streaming()
        database, directory = self.service.proxy.database, self.service.proxy.stored.directory
        [token] = await database.tokens.list()
        changed = await database.tokens.update(token.id, is_active=False)
        assert changed is not None
        directory.token_changed(changed)
        await client.until_closed(1.0)
        await wire.until_closed(1.0)
        self.assertEqual((await self.record()).ended, "revoked")
