"""
Exchanges that end in every way, many of them, and what is left of them.

Clients and upstream leave at places that chance chooses: within the head, the upload, the answer, before it, after it.
What is left is counted from outside, by the types of the objects that live, by descriptors and by timers, so that
nothing that the proxy keeps a table of can be forgotten here.
"""

from __future__ import annotations

import gc
import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, TimeoutError, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from llmproxy.sinks.metrics import Histogram, Series
from llmproxy.store.schema import Moment

from .harness import Upstream, Wire

STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"9\r\ndata: 1\n\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
AGREED = b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
BIG = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000

ANSWERS: dict[bytes, Callable[[Wire], object]] = {
    b"ok": lambda wire: wire.send(OK),
    b"large": lambda wire: wire.send(BIG),
    b"stream": lambda wire: wire.send(STREAM),
    b"whole": lambda wire: wire.send(STREAM + b"0\r\nX-Sum: 1\r\n\r\n"),
    b"interim": lambda wire: wire.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK),
    b"silent": lambda wire: None,
    b"agreed": lambda wire: wire.send(AGREED + b"hello"),
    b"closing": lambda wire: (wire.send(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")), wire.close()),
    b"cut": lambda wire: (wire.send(STREAM), wire.close()),
    b"reset": lambda wire: (wire.send(STREAM), wire.transport.abortConnection()),  # type: ignore[union-attr]
    b"gone": lambda wire: wire.close(),
    b"nonsense": lambda wire: wire.send(b"nonsense\r\n\r\n"),
    b"bad": lambda wire: wire.send(STREAM + b"zz\r\n"),
    b"more": lambda wire: wire.send(OK + OK),
}
"""What upstream does, by the last segment of the target."""


BOUNDED = (Series, Histogram, Moment)
"""One for each combination of labels that was seen, and for each kind of statement."""


class Answering(Wire):
    """Upstream's end: it answers at the end of the head, and does not look at bodies."""

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        head, end, _ = self.received.partition(b"\r\n\r\n")
        if end:
            self.received = b""
            what = head.partition(b" HTTP/")[0].rpartition(b"/")[2]
            ANSWERS.get(what, lambda wire: None)(self)
        elif len(self.received) > 4096:
            self.received = b""


class AnsweringUpstream(Upstream):
    def buildProtocol(self, addr: Any) -> Wire:
        self.wires = [wire for wire in self.wires if wire.closed is None]
        wire = Answering()
        self.wires.append(wire)
        return wire


class Churn:
    """
    Clients of one proxy.

    @param secret: their token.
    """

    def __init__(self, port: int, secret: str, seed: int) -> None:
        self._endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        self._secret = secret.encode()
        self._chance = random.Random(seed)

    async def run(self, count: int, clients: int) -> None:
        """Have C{count} exchanges, C{clients} at a time."""
        left = iter(range(count))

        async def one_after_another() -> None:
            for _ in left:
                await self._exchange()

        await gatherResults([Deferred.fromCoroutine(one_after_another()) for _ in range(clients)])

    async def _exchange(self) -> None:
        chance = self._chance
        wire: Any = await self._endpoint.connect(Factory.forProtocol(Wire))
        request = self._request()
        for _ in range(chance.choice([0, 0, 0, 1, 3])):
            request += self._request()
        if chance.random() < 0.3:
            request = request[: chance.randrange(len(request))]
        cut = chance.randrange(len(request) + 1)
        wire.send(request[:cut])
        if chance.random() < 0.3:
            await deferLater(reactor, 0)
        if wire.closed is None:
            wire.send(request[cut:])
        await self._wait(wire)
        await self._leave(wire)

    def _request(self) -> bytes:
        chance = self._chance
        what = chance.choice([*ANSWERS])
        fields = [b"Host: proxy", b"Authorization: Bearer " + self._secret]
        kind = chance.choice([b"GET", b"GET", b"HEAD", b"POST", b"chunked", b"expect", b"upgrade", b"stranger"])
        body = b""
        if kind == b"stranger":
            fields[1] = b"Authorization: Bearer sk-" + b"B" * 22
        elif kind == b"upgrade":
            fields += [b"Connection: Upgrade", b"Upgrade: websocket"]
        elif kind in (b"POST", b"expect"):
            body = b"x" * chance.choice([1, 1000, 200_000])
            fields.append(b"Content-Length: %d" % len(body))
            if kind == b"expect":
                fields.append(b"Expect: 100-continue")
        elif kind == b"chunked":
            fields.append(b"Transfer-Encoding: chunked")
            body = b"5\r\nhello\r\n" * 3 + chance.choice([b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"zz\r\n"])
        method = {b"HEAD": b"HEAD", b"GET": b"GET", b"upgrade": b"GET", b"stranger": b"GET"}.get(kind, b"POST")
        return b"\r\n".join([method + b" /v1/" + what + b" HTTP/1.1", *fields, b"", body])

    async def _wait(self, wire: Wire) -> None:
        chance = self._chance
        if chance.random() < 0.6:
            sought = chance.choice([b"HTTP/1.1 ", b"\r\n\r\n", b"data: 1", b"ok"])
            try:
                await wire.until(lambda: sought in wire.received or wire.closed is not None, 0.02)
            except TimeoutError:
                pass
        elif chance.random() < 0.3:
            await deferLater(reactor, 0.002)

    async def _leave(self, wire: Wire) -> None:
        transport: Any = wire.transport
        how = self._chance.choice(["close", "close", "reset", "half"])
        if how == "half" and wire.closed is None:
            transport.loseWriteConnection()
            await deferLater(reactor, 0.002)
        if wire.closed is None:
            (transport.loseConnection if how == "close" else transport.abortConnection)()
        if wire.closed is None:
            await wire.until_closed(20.0)


async def settled(service: Any, upstream: Upstream) -> None:
    """Wait until no exchange runs and no connection is open; upstream closes those that are kept."""
    for _ in range(2000):
        for wire in upstream.wires:
            if wire.closed is None:
                wire.close()
        pools = [client.pool for client in service.proxy.generations.current.clients.values()]
        service.proxy.metrics()
        if not (
            service.proxy.generations.current.account.in_flight
            or service.site.connections
            or any(p.connections for p in pools)
        ):
            # Twisted keeps with a connection how it ended.
            upstream.wires.clear()
            # Heads are remembered for a minute.
            service.proxy.foundation.forget()
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("something does not end")


async def leftover(before: Counter[str], seconds: float = 3.0) -> dict[str, int]:
    """What there is more of, for as long as the last sockets need to be closed."""
    found = grown(before, living())
    while found and seconds > 0:
        seconds -= 0.1
        await deferLater(reactor, 0.1)
        found = grown(before, living())
    return found


def living() -> Counter[str]:
    """
    How many objects there are of each of our types, and what Twisted holds on to. A timer that was cancelled is
    an object of its for a while.
    """
    gc.collect()
    found: Counter[str] = Counter()
    for each in gc.get_objects():
        kind = type(each)
        if kind in BOUNDED:
            continue
        module = str(kind.__module__)
        if module.startswith("llmproxy.") or kind.__name__ in ("Deferred", "Failure"):
            found[f"{module}.{kind.__name__}"] += 1
    found["descriptors"] = len(os.listdir("/proc/self/fd"))
    found["timers"] = len(reactor.getDelayedCalls())  # type: ignore[attr-defined]
    found["readers"] = len(reactor.getReaders())  # type: ignore[attr-defined]
    found["writers"] = len(reactor.getWriters())  # type: ignore[attr-defined]
    return found


def grown(before: Counter[str], after: Counter[str]) -> dict[str, int]:
    """What there is more of."""
    return {name: count - before[name] for name, count in after.items() if count > before[name]}
