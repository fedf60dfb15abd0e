"""An upstream that fails in each of the usual ways, beside a healthy one, over real sockets."""

from __future__ import annotations

import re
import socket
from collections import Counter
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import deferLater

from llmproxy.config import APIConfig, APIProviderConfig, BreakerConfig, TimeoutConfig
from llmproxy.config.upstreams import BalanceConfig, RetryConfig, UpstreamConfig
from tests.tables import row

from .harness import ProxyTestCase, Upstream, Wire, get, post

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"


class _Wire(Wire):
    """Upstream's end of a connection: it answers each whole request as its kind is."""

    def __init__(self, upstream: Failing) -> None:
        super().__init__()
        self._upstream = upstream

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        while self.closed is None:
            head, end, rest = self.received.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            size = int(length[1]) if length else 0
            if not end or len(rest) < size:
                return
            self._upstream.seen.append(head + end + rest[:size])
            self.received = rest[size:]
            self._answer(self._upstream.kind)

    def _answer(self, kind: str) -> None:
        assert self.transport is not None
        if kind == "resets":
            self.transport.abortConnection()
        elif kind == "drips":
            self.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
            self._drip(20)
        elif kind.isdigit():
            wait = b"Retry-After: 30\r\n" if kind == "429" else b""
            self.send(b"HTTP/1.1 %b No\r\n%bContent-Length: 3\r\n\r\nbad" % (kind.encode(), wait))
        elif kind != "hangs":
            self.send(OK)

    def _drip(self, left: int) -> None:
        if self.closed is None:
            self.send(b".")
            if left > 1:
                reactor.callLater(0.02, self._drip, left - 1)  # type: ignore[attr-defined]


class Failing(Upstream):
    """
    @ivar kind: how it answers.
    @ivar seen: the requests that came whole.
    """

    def __init__(self, kind: str = "well") -> None:
        super().__init__()
        self.kind = kind
        self.seen: list[bytes] = []

    def buildProtocol(self, addr: Any) -> Wire:
        wire = _Wire(self)
        self.wires.append(wire)
        return wire


class FailoverTests(ProxyTestCase):
    """Two upstreams of one priority: C{bad}, and C{good}, which is the one that the harness holds."""

    timeout = 60

    def make_upstream(self) -> Any:
        return Failing()

    async def setUp(self) -> None:  # type: ignore[override]
        self.bad = Failing()
        self.bad_port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(self.bad)
        with socket.create_server(("127.0.0.1", 0)) as closed:
            self.closed_port = closed.getsockname()[1]
        await super().setUp()  # type: ignore[misc]

    async def tearDown(self) -> None:  # type: ignore[override]
        await super().tearDown()  # type: ignore[misc]
        closing = [wire.until_closed() for wire in self.bad.wires]
        for wire in self.bad.wires:
            if wire.closed is None:
                wire.transport.abortConnection()  # type: ignore[union-attr]
        await self.bad_port.stopListening()
        await DeferredList(closing, consumeErrors=True)

    def config(self, base_url: str) -> APIConfig:
        return APIConfig({"api": self.several(base_url, self.bad_port.getHost().port)}, "api")

    def several(self, base_url: str, bad: int, by: Any = "weighted", **changes: Any) -> APIProviderConfig:
        values: dict[str, Any] = {
            "allowed_endpoints": ["/v1"],
            "allowed_methods": ["GET", "POST"],
            "upstreams": [
                UpstreamConfig("bad", f"http://127.0.0.1:{bad}/bad"),
                UpstreamConfig("good", f"{base_url}/good"),
            ],
            "balance": BalanceConfig(by),
            "retry": RetryConfig(2),
            "breaker": BreakerConfig(3, 30.0),
            "timeouts": TimeoutConfig(connect=0.5, response_header=0.3),
        }
        return APIProviderConfig(**{**values, **changes})

    def swap(self, **changes: Any) -> None:
        """Another configuration, with states that begin anew: the upstream that fails is called otherwise."""
        bad = changes.pop("bad", self.bad_port.getHost().port)
        api = self.several(self.base_url, bad, **changes)
        name = f"bad{len(self.service.proxy.generations.living)}{id(api)}"
        upstreams = [UpstreamConfig(name, api.upstreams[0].base_url + name), *api.upstreams[1:]]
        self.service.proxy.swap(APIConfig({"api": evolve(api, upstreams=upstreams)}, "api"))

    async def asked(self, count: int, request: bytes = b"") -> Counter[int]:
        """The statuses of so many requests, four at a time."""
        found: Counter[int] = Counter()
        for _ in range(count // 4):
            clients = [await self.send(request or post(b'{"a":1}', b"Connection: close")) for _ in range(4)]
            await DeferredList([client.until_closed() for client in clients])
            found.update(int(client.received[9:12] or b"0") for client in clients)
        return found

    def in_flight(self) -> list[int]:
        return [state.in_flight for _, _, state in self.service.proxy.generations.current.states.all()]

    async def test_kinds(self) -> None:
        """
        What clients see while one of two fails: nothing, where it was not sent or said so; where it may have been acted
        on, as many errors as it takes to leave that one out.
        """
        for kind, most in (("refuses", 0), ("500", 0), ("503", 0), ("429", 0), ("resets", 3 + 4), ("hangs", 3 + 4)):
            self.bad.kind = kind
            self.swap(**({"bad": self.closed_port} if kind == "refuses" else {}))
            found = await self.asked(40)
            with row(kind, found):
                self.assertLessEqual(sum(count for status, count in found.items() if status != 200), most)
                self.assertEqual(self.in_flight(), [0, 0])

    async def test_left_out(self) -> None:
        """One that fails gets no more requests than it takes to find out, and then none for a while."""
        for kind in ("500", "resets", "429"):
            self.bad.kind, self.bad.seen = kind, []
            self.swap()
            await self.asked(60)
            with row(kind):
                self.assertLessEqual(len(self.bad.seen), 3 + 4)

    async def test_drips(self) -> None:
        """One whose answers take long gets fewer of them where load decides; all of them are answered."""
        self.bad.kind = "drips"
        for by in ("weighted", "least_in_flight", "peak_ewma"):
            self.bad.seen, self.upstream.seen = [], []
            self.swap(by=by, timeouts=TimeoutConfig())
            found: Counter[int] = Counter()
            for each in await DeferredList([Deferred.fromCoroutine(self.one_after_another(8)) for _ in range(4)]):
                found.update(each[1])
            with row(by, len(self.bad.seen), len(self.upstream.seen)):
                self.assertEqual(found, {200: 32})
                self.assertEqual(self.in_flight(), [0, 0])
                if by == "least_in_flight":
                    self.assertLess(len(self.bad.seen), len(self.upstream.seen))

    async def one_after_another(self, count: int) -> Counter[int]:
        found: Counter[int] = Counter()
        for _ in range(count):
            client = await self.send(post(b"{}", b"Connection: close"))
            await client.until_closed(20.0)
            found[int(client.received[9:12] or b"0")] += 1
        return found

    async def test_request(self) -> None:
        """The second one gets the same request, whole; the records tell both, and the token's use is one."""
        self.bad.kind = "503"
        body = b"x" * 200_000
        records = len(self.records)
        for _ in range(6):
            client = await self.send(post(body, b"Connection: close", b"Idempotency-Key: k"))
            await client.until_closed()
            self.assertTrue(client.received.startswith(b"HTTP/1.1 200"), client.received[:200])
        self.assertTrue(all(seen.endswith(b"\r\n\r\n" + body) for seen in [*self.upstream.seen, *self.bad.seen]))
        tried = [record.details["tried"] for record in self.records[records:] if record.details]
        self.assertGreater(len(tried), 0)
        for each in tried:
            with row(each):
                self.assertEqual([one["upstream"] for one in each], ["bad", "good"])
                self.assertEqual([one["status"] for one in each], [503, 200])
        self.assertEqual({record.upstream for record in self.records[records:]}, {"good"})

    async def test_leaving(self) -> None:
        """A client that leaves during the second attempt leaves nothing running, at either upstream."""
        self.bad.kind, self.upstream.kind = "503", "hangs"
        clients = [await self.send(get()) for _ in range(4)]
        while len(self.upstream.seen) < 4:
            await deferLater(reactor, 0.01)
        for client in clients:
            client.close()
        await DeferredList([client.until_closed() for client in clients])
        await DeferredList([wire.until_closed() for wire in self.upstream.wires])
        self.assertEqual(self.in_flight(), [0, 0])
        self.assertEqual(self.service.proxy.generations.in_flight, 0)

    async def test_fallback(self) -> None:
        """Another API is asked where all of this one fail, if the caller may ask it."""
        self.bad.kind = "500"
        api = APIProviderConfig(
            base_url=f"http://127.0.0.1:{self.bad_port.getHost().port}",
            allowed_endpoints=["/v1"],
            allowed_methods=["GET", "POST"],
            retry=RetryConfig(2),
            fallback=["other"],
        )
        for whitelist, expected in (({}, 200), ({"model": ("a*",)}, 200), ({"model": ("b*",)}, 500)):
            other = APIProviderConfig(
                base_url=self.base_url,
                allowed_endpoints=["/v1"],
                allowed_methods=["POST"],
                param_whitelist=whitelist,
                key="sk-own",
                own_key_for="all",
            )
            self.service.proxy.swap(APIConfig({"api": api, "other": other}, "api"))
            request = post(b'{"model":"abc"}', b"Connection: close", b"Content-Type: application/json")
            found = await self.asked(4, request)
            with row(whitelist):
                self.assertEqual(found, {expected: 4})
        self.assertTrue(all(b"Bearer sk-own" in seen for seen in self.upstream.seen))
