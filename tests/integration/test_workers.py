"""Several processes behind one port: a real parent, real workers, real signals."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from datetime import datetime, timezone
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.python.util import sibpath

from llmproxy.config import APIConfig
from llmproxy.core.clientlimits import Limits
from llmproxy.service import Settings
from llmproxy.store.engine import open_database
from llmproxy.workers.supervisor import Supervisor

from .harness import MANAGEMENT_TOKEN, ProxyTestCase, Wire, get

STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HERE = os.path.dirname(os.path.dirname(os.path.dirname(sibpath(__file__, ""))))


class Elsewhere:
    """What the harness asks of a proxy, for one that runs in other processes."""

    def __init__(self, database: Any, table: Any) -> None:
        self.database = database
        self.table = table
        self.account = self.generations = self.current = self
        self._publish = None


class WorkersCase(ProxyTestCase):
    timeout = 60
    limits = Limits()

    async def start_proxy(self, base_url: str) -> Any:
        path = os.path.abspath(self.mktemp())
        config = APIConfig({"api": self.api(base_url)}, "api", self.limits)
        options = Settings(
            apis=config,
            management_token=MANAGEMENT_TOKEN,
            encryption_key=bytes(32),
            database_url=f"sqlite:///{path}",
            listen=["tcp:0:interface=127.0.0.1"],
            access_log=None,
            drain_seconds=1.0,
        )
        os.environ["PYTHONPATH"] = HERE
        self.supervisor = Supervisor(reactor, options, 2)
        self.supervisor.startService()
        await self.supervisor.started
        self.port = self.supervisor._sockets[0].port.getHost().port
        self.database = open_database(reactor, f"sqlite:///{path}", encryption_key=bytes(32))
        await self.database.start()
        self.supervisor.proxy = Elsewhere(self.database, config.routing_table())  # type: ignore[attr-defined]
        return self.supervisor

    async def tearDown(self) -> None:  # type: ignore[override]
        await super().tearDown()
        await self.database.close()

    async def on_each(self) -> list[Wire]:
        """A connection to each worker: as many as it takes until both have taken one."""
        served: dict[int, Wire] = {}
        for _ in range(200):
            wire = Wire()
            await TCP4ClientEndpoint(reactor, "127.0.0.1", self.port).connect(
                Factory.forProtocol(lambda wire=wire: wire)
            )
            self._wires.append(wire)
            await deferLater(reactor, 0.005)
            for worker in self.supervisor.workers:
                assert worker is not None
                if worker.number not in served and wire.transport.getHost().port in ports_of(worker.pid, wire):  # type: ignore[union-attr]
                    served[worker.number] = wire
            if len(served) == 2:
                return list(served.values())
        raise AssertionError("one worker takes all connections")

    async def call(self, wire: Wire, request: bytes, answer: bytes) -> bytes:
        before = len(wire.received)
        wire.send(request.replace(b"TOKEN", self.secret.encode()))
        await wire.until(lambda: answer in wire.received[before:])
        return wire.received[before:]

    async def worker_of(self, wire: Wire) -> Any:
        """The worker that holds a connection."""
        port = wire.transport.getHost().port  # type: ignore[union-attr]
        return next(worker for worker in self.supervisor.workers if worker and port in ports_of(worker.pid, wire))


class WorkersTests(WorkersCase):
    async def test_both_serve_and_are_counted(self) -> None:
        """Both workers take connections, and either one's metrics are those of both."""
        wires = await self.on_each()
        for wire in wires:
            await self.call(wire, get(b"/v1/x").replace(b"Bearer TOKEN", b"Bearer no"), b'"invalid_token"')
        for wire in wires:
            text = await self.call(wire, get(b"/metrics"), b"llmproxy_worker_restarts_total")
            self.assertIn(b"\nllm_proxy_requests_total 2.0\n", text)

    async def warmed(self) -> tuple[list[Wire], bytes]:
        """A connection to each worker, both of which know the token, and the token's id."""
        wires = await self.on_each()
        for number, wire in enumerate(wires):
            wire.send(get(b"/v1/%d" % number).replace(b"TOKEN", self.secret.encode()))
            upstream = await self.upstream.wire(number)
            await upstream.until_received(b"\r\n\r\n")
            upstream.received = b""
            upstream.send(OK)
            await wire.until_received(b"ok")
        [token] = await self.database.tokens.list()
        return wires, token.id.encode()

    async def manage(self, wire: Wire, line: bytes, body: bytes, answer: bytes) -> bytes:
        head = b"%b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n"
        return await self.call(wire, head % (line, MANAGEMENT_TOKEN.encode(), len(body)) + body, answer)

    async def test_revocation_reaches_both(self) -> None:
        """What one worker revokes, the other refuses within a second, though it knew the token well."""
        wires, token = await self.warmed()
        await self.manage(wires[0], b"DELETE /manage/tokens/" + token, b"", b"204 No Content")
        await deferLater(reactor, 0.5)
        for wire in wires:
            await self.call(wire, get(b"/v1/after"), b'"code":"token_inactive"')

    async def test_counts(self) -> None:
        """Uses that one worker has counted stand at once in what any of them shows."""
        wires, token = await self.warmed()
        for wire in wires:
            for line in (b"GET /manage/tokens/" + token, b"GET /manage/tokens"):
                shown = await self.manage(wire, line, b"", b'"request_count"')
                self.assertIn(b'"request_count":2', shown)

    async def test_caches(self) -> None:
        """A PUT to one worker, and a purge by one, empty the caches of both; the purge says how much there was."""
        stored = b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 2\r\n\r\nok"
        wires = await self.on_each()
        asked = 0

        async def ask(wire: Wire, request: bytes) -> bytes:
            """What a client gets; upstream answers if it is asked."""
            nonlocal asked
            before, count = len(wire.received), asked
            wire.send(request.replace(b"TOKEN", self.secret.encode()))
            while b"ok" not in wire.received[before:]:
                if len(self.upstream.wires) > asked and count == asked:
                    upstream = await self.upstream.wire(asked)
                    await upstream.until_received(b"\r\n\r\n")
                    upstream.send(stored)
                    upstream.close()
                    asked += 1
                await deferLater(reactor, 0.005)
            return wire.received[before:]

        async def both() -> list[bytes]:
            return [await ask(wire, get(b"/v1/x")) for wire in wires]

        for answer in await both():
            self.assertIn(b"fwd=uri-miss", answer)
        for answer in await both():
            self.assertIn(b"; hit", answer)
        await ask(wires[0], get(b"/v1/x", b"Content-Length: 0", method=b"PUT"))
        await deferLater(reactor, 0.2)
        for answer in await both():
            self.assertIn(b"fwd=uri-miss", answer)
        answer = await self.manage(wires[1], b"POST /manage/cache/purge", b'{"all": true}', b"deleted")
        self.assertIn(b'{"deleted":2}', answer)
        for answer in await both():
            self.assertIn(b"fwd=uri-miss", answer)

    async def test_doubted_on_its_way(self) -> None:
        """What a PUT to one worker changes, another worker does not store that was fetching it at that moment."""
        stored = b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 3\r\n\r\nold"
        (fetches, changes), _ = await self.warmed()
        upstreams = {}
        for wire, line in ((fetches, get(b"/v1/x")), (changes, get(b"/v1/x", b"Content-Length: 0", method=b"PUT"))):
            wire.received = b""
            wire.send(line.replace(b"TOKEN", self.secret.encode()))
            upstreams[wire] = await self.asked(line.partition(b" ")[0])
        upstreams[changes].send(OK)
        await changes.until_received(b"ok")
        await deferLater(reactor, 0.2)
        upstreams[fetches].send(stored)
        await fetches.until_received(b"old")
        self.assertNotIn(b"stored", fetches.received)
        fetches.send(get(b"/v1/x").replace(b"TOKEN", self.secret.encode()))
        (await self.asked(b"GET")).send(OK)
        await fetches.until_received(b"ok")

    async def asked(self, method: bytes) -> Wire:
        """The connection on which upstream is being asked with this method, which is taken note of."""
        for _ in range(1000):
            for upstream in self.upstream.wires:
                if upstream.received.startswith(method) and upstream.received.endswith(b"\r\n\r\n"):
                    upstream.received = b""
                    return upstream
            await deferLater(reactor, 0.005)
        raise AssertionError("upstream is not asked")

    async def test_rotation_reaches_both(self) -> None:
        """A secret that one worker rotates away at once, the other refuses within a second; an expiry likewise."""
        wires, token = await self.warmed()
        rotate = b"POST /manage/tokens/%b/rotate" % token
        answer = await self.manage(wires[0], rotate, b'{"overlap_seconds": 0}', b'"token":"sk-')
        await deferLater(reactor, 0.5)
        for wire in wires:
            await self.call(wire, get(b"/v1/old"), b'"code":"token_inactive"')
        self.secret = answer.partition(b'"token":"')[2][:25].decode()
        for number, wire in enumerate(wires):
            upstream = self.upstream.wires[number]
            upstream.received = b""
            wire.send(get(b"/v1/new").replace(b"TOKEN", self.secret.encode()))
            await upstream.until_received(b"\r\n\r\n")
            upstream.send(OK)
            await wire.until_received(b"ok")
        soon = datetime.fromtimestamp(time.time() + 0.2, timezone.utc).isoformat()
        edit = b'{"expires_at": "%b"}' % soon.encode()
        await self.manage(wires[1], b"PATCH /manage/tokens/" + token, edit, b'"expires_at"')
        await deferLater(reactor, 0.7)
        for wire in wires:
            await self.call(wire, get(b"/v1/late"), b'"code":"token_expired"')

    async def test_killed(self) -> None:
        """A worker that is killed takes its own connections along and nothing else, and is replaced."""
        first, second = await self.on_each()
        victim = self.supervisor.workers[0]
        assert victim is not None and victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        await victim.ended
        await gatherResults([wire.until(lambda wire=wire: True) for wire in (first, second)])  # type: ignore[misc]
        for _ in range(100):
            replacement = self.supervisor.workers[0]
            assert replacement is not None
            if replacement is not victim and replacement.started.called:
                break
            await deferLater(reactor, 0.05)
        self.assertIsNot(replacement, victim)
        self.assertEqual(self.supervisor.restarts, 1)
        alive = [wire for wire in (first, second) if wire.closed is None]
        self.assertEqual(len(alive), 1)
        await self.call(alive[0], get(b"/health"), b'"status":"ok"')
        self.assertEqual(len(await self.on_each()), 2)

    async def streaming(self, wire: Wire, number: int) -> Wire:
        """Begin a stream on a connection; upstream's end of it."""
        wire.send(get(b"/v1/%d" % number).replace(b"TOKEN", self.secret.encode()))
        upstream: Wire = await self.upstream.wire(number)
        await upstream.until_received(b"\r\n\r\n")
        upstream.send(STREAM)
        await wire.until_received(b"\r\n\r\n")
        return upstream

    async def test_killed_under_load(self) -> None:
        """
        Of many streams in full flow those of a killed worker break off, and are seen to; all others run to their end
        with every event, and whoever asks meanwhile is served.
        """
        mine, other = await self.on_each()
        victim = await self.worker_of(mine)
        wires = [mine, other, *[await self.client() for _ in range(14)]]
        lost = [wire for wire in wires if await self.worker_of(wire) is victim]
        streams = [await self.streaming(wire, number) for number, wire in enumerate(wires)]
        sent = 0
        for turn in range(40):
            for stream in streams:
                if stream.closed is None:
                    stream.send(b"9\r\ndata: %d\n\n\r\n" % (sent % 10))
            sent += 1
            if turn == 20:
                os.kill(victim.pid, signal.SIGKILL)
            await deferLater(reactor, 0.005)
        for stream in streams:
            if stream.closed is None:
                stream.send(b"0\r\n\r\n")
        for wire in wires:
            if wire in lost:
                await wire.until_closed()
                self.assertFalse(wire.received.endswith(b"0\r\n\r\n"), wire)
            else:
                await wire.until_received(b"0\r\n\r\n")
                self.assertEqual(wire.received.count(b"data: "), sent, wire)
        self.assertTrue(0 < len(lost) < len(wires))
        await self.call(await self.client(), get(b"/health"), b'"status":"ok"')

    async def test_quota_outlives_a_killed_worker(self) -> None:
        """What a killed worker had leased may be lost; more than the quota never reaches upstream."""
        self.secret = await self.new_token(max_requests=20)
        wires = await self.on_each()
        victim = await self.worker_of(wires[0])
        reached = 0
        for number in range(40):
            wire = wires[number % len(wires)]
            before = len(wire.received)
            wire.send(get(b"/v1/%d" % number).replace(b"TOKEN", self.secret.encode()))
            for _ in range(1000):
                for upstream in self.upstream.wires:
                    if upstream.received.endswith(b"\r\n\r\n"):
                        reached += 1
                        upstream.received = b""
                        upstream.send(OK)
                if wire.received[before:].endswith((b"\r\n\r\nok", b"}\n")):
                    break
                await deferLater(reactor, 0.002)
            if number == 5:
                os.kill(victim.pid, signal.SIGKILL)
                await victim.ended
                wires = [wire for wire in wires if wire.closed is None] or [await self.client()]
                wires = [wires[-1]]
        self.assertLessEqual(reached, 20)
        self.assertGreater(reached, 5)

    async def test_revocation_cuts_streams_of_others(self) -> None:
        """What one worker revokes cuts the streams that another one is relaying, within a second."""
        wires = await self.on_each()
        streams = [await self.streaming(wire, number) for number, wire in enumerate(wires)]
        [token] = await self.database.tokens.list()
        manager = await self.client()
        revoke = b"DELETE /manage/tokens/%b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n"
        await self.call(manager, revoke % (token.id.encode(), MANAGEMENT_TOKEN.encode()), b"204 No Content")
        for end in (*wires, *streams):
            await end.until_closed(1.0)

    async def test_quota(self) -> None:
        """A quota of 20 is 20 requests over both workers."""
        self.secret = await self.new_token(max_requests=20)
        wires = await self.on_each()
        passed = refused = 0
        for number in range(30):
            wire = wires[number % 2]
            before = len(wire.received)
            wire.send(get(b"/v1/%d" % number).replace(b"TOKEN", self.secret.encode()))
            while True:
                for upstream in self.upstream.wires:
                    if upstream.received.endswith(b"\r\n\r\n"):
                        upstream.received = b""
                        upstream.send(OK)
                if wire.received[before:].endswith(b"\r\n\r\nok"):
                    passed += 1
                    break
                if b"rate_limit_exceeded" in wire.received[before:]:
                    refused += 1
                    break
                await deferLater(reactor, 0.002)
        self.assertLessEqual(passed, 20)
        self.assertGreaterEqual(passed, 18)

    async def test_stops(self) -> None:
        """
        Told to stop, all workers end by themselves, one after another: while the first one gives a running stream its
        time, the other one serves.
        """
        wires = await self.on_each()
        if (await self.worker_of(wires[0])).number != 0:
            wires.reverse()
        wires[0].send(get(b"/v1/x").replace(b"TOKEN", self.secret.encode()))
        upstream = await self.upstream.wire()
        await upstream.until_received(b"\r\n\r\n")
        upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        await wires[0].until_received(b"ha")
        stopping = self.supervisor.stopService()
        await deferLater(reactor, 0.2)
        await self.call(wires[1], get(b"/health"), b'"status":"ok"')
        upstream.send(b"lf")
        await wires[0].until_received(b"half")
        await stopping
        for worker in self.supervisor.workers:
            assert worker is not None
            self.assertTrue(worker.ended.called, worker)


class SpreadTests(WorkersCase):
    async def test_burst(self) -> None:
        """A burst of clients is spread over the workers, so that every core has a part of it."""
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        self._wires += await gatherResults([endpoint.connect(Factory.forProtocol(Wire)) for _ in range(60)])
        for wire in self._wires:
            wire.send(get(b"/live"))
        for wire in self._wires:
            await wire.until_received(b"alive")
        counts = [0, 0]
        for worker in self.supervisor.workers:
            assert worker is not None
            held = ports_of(worker.pid, self._wires[0])
            counts[worker.number] = sum(wire.transport.getHost().port in held for wire in self._wires)
        self.assertEqual(sum(counts), 60)
        self.assertGreaterEqual(min(counts), 4)


class SharedLimitsTests(WorkersCase):
    limits = Limits(connections=12, connections_per_client=8)

    async def connected(self, address: str, count: int) -> list[Wire]:
        """Connections from one of this machine's addresses, once it is known which of them are refused."""
        wires = []
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port, bindAddress=(address, 0))
        for _ in range(count):
            # One that is refused may be reset before it is known to be there.
            with contextlib.suppress(ConnectError):
                wires.append(await endpoint.connect(Factory.forProtocol(Wire)))
            await deferLater(reactor, 0.01)
        self._wires += wires
        for wire in wires:
            wire.send(get(b"/live"))
            await wire.until(lambda wire=wire: wire.closed is not None or b"\r\n\r\n" in wire.received)
        for wire in wires:
            if b" 503 " in wire.received:
                wire.close()
        return [wire for wire in wires if b" 200 " in wire.received]

    async def test_connections(self) -> None:
        """
        An address has its share and no more, all together the whole and no more, at whichever worker they come; a
        worker that is killed makes room.
        """
        mine = await self.connected("127.0.0.1", 14)
        self.assertEqual(len(mine), 8)
        others = await self.connected("127.0.0.2", 8)
        self.assertEqual(len(others), 4)
        held = {(await self.worker_of(wire)).number for wire in mine + others}
        worker = self.supervisor.workers[min(held)]
        assert worker is not None
        worker.kill()
        await worker.ended
        await deferLater(reactor, 0.05)
        left = [wire for wire in mine + others if wire.closed is None]
        again = await self.connected("127.0.0.3", 14)
        self.assertEqual(len(again), min(8, 12 - len(left)))


def ports_of(pid: int | None, wire: Wire) -> set[int]:
    """The client's ports of the connections that a process holds."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if link.startswith("socket:["):
            inodes.add(link[8:-1])
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return {int(row[2].split(":")[1], 16) for row in rows if row[9] in inodes}
