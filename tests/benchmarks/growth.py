"""
What a small request costs in a proxy that has much of everything: C{python -m tests.benchmarks.growth}.

The sockets are in memory, as in L{tests.harness}. Calls are Python's and C's, and do not depend on the machine; the
processor time is the least of several rounds, in which each proxy takes its turn with one that has little of anything.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from itertools import cycle
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from llmproxy.message import Project, Token
from llmproxy.store.directory import Directory
from tests.harness import KEY, SECRET, Exchange, a_request
from tests.test_cost import ANSWER, REQUEST, STORED, Calls

ROUNDS, REQUESTS = 7, 200
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"

Once = Callable[[], object]


def asking(exchange: Exchange, requests: list[bytes]) -> Once:
    """One request after another, on a connection of its own."""
    client = exchange.client()
    upcoming = cycle(requests)

    def once() -> None:
        client.receive(next(upcoming))
        upstream = exchange.upstream[-1]
        upstream.receive(ANSWER)
        client.sent = upstream.sent = b""
        exchange.records.clear()

    return once


def plain(**options: Any) -> Once:
    return asking(Exchange(**options), [REQUEST])


def endpoints() -> Once:
    """Patterns of endpoints, of which the last is the one."""
    return plain(allowed_endpoints=[f"/v2/{number}/*/of" for number in range(5000)] + ["/v1"])


def unlimited() -> Exchange:
    exchange = Exchange()
    exchange.site.limits = evolve(exchange.site.limits, connections=None, connections_per_client=None)
    return exchange


def idle() -> Once:
    """Connections that wait for their next request."""
    exchange = unlimited()
    for _ in range(10_000):
        exchange.client()
    return asking(exchange, [REQUEST])


def streams() -> Once:
    """Answers that go on."""
    exchange = unlimited()
    for _ in range(5_000):
        exchange.client().receive(REQUEST)
        exchange.upstream[-1].receive(CHUNKED)
    return asking(exchange, [REQUEST])


class _Rows:
    """Tokens and projects without a database."""

    def __init__(self, found: dict[str, Any]) -> None:
        self._found = found

    def by_hash(self, token_hash: str) -> Deferred[Any]:
        return succeed(self._found.get(token_hash))

    get = by_hash


def tokens(count: int) -> Once:
    """Tokens of as many projects, in memory, used in turn."""
    secrets = [b"sk-%022d" % number for number in range(count)]
    held = {
        sha256(secret).hexdigest(): Token(f"t{number}", sha256(secret).hexdigest(), "", f"p{number}", None)
        for number, secret in enumerate(secrets)
    }
    projects = {f"p{number}": Project(f"p{number}", str(number), {"api": (KEY,)}) for number in range(count)}
    rows: Any = (_Rows(held), _Rows(projects))
    exchange = Exchange(directory=Directory(Clock(), *rows))
    for secret in secrets:
        exchange.directory.load(secret)
    return asking(exchange, [REQUEST.replace(SECRET, secret) for secret in secrets])


def cached(count: int) -> Once:
    """A hit, beside so many other objects."""
    exchange = Exchange(cached=True)
    store: Any = exchange.cache and exchange.cache.store
    store._limit = 1 << 40
    client = exchange.client()
    for number in range(count):
        client.receive(a_request(b"/v1/models/%d" % number))
        exchange.upstream[0].receive(STORED)
        client.sent = exchange.upstream[0].sent = b""
        exchange.records.clear()
    request = a_request(b"/v1/models/0")

    def once() -> None:
        client.receive(request)
        client.sent = b""
        exchange.records.clear()

    return once


CASES: dict[str, tuple[Callable[[], Once], Callable[[], Once]]] = {
    "1,000 APIs": (plain, lambda: plain(others=999)),
    "5,000 patterns of endpoints, of which the last fits": (plain, endpoints),
    "10,000 idle connections of clients": (plain, idle),
    "5,000 running streams": (plain, streams),
    "100 tokens in turn, of as many projects": (lambda: tokens(1), lambda: tokens(100)),
    "10,000 tokens in turn, of as many projects": (lambda: tokens(1), lambda: tokens(10_000)),
    "a hit beside 100,000 cached objects": (lambda: cached(1), lambda: cached(100_000)),
}
"""With little of something, and with much."""


def calls(once: Once) -> float:
    with Calls() as counted:
        for _ in range(20):
            once()
    return counted.count / 20


def least(pair: tuple[Once, Once]) -> tuple[float, float]:
    """The processor time of each, in microseconds."""
    best = [1e9, 1e9]
    for _ in range(ROUNDS):
        for at, once in enumerate(pair):
            begun = time.process_time()
            for _ in range(REQUESTS):
                once()
            best[at] = min(best[at], (time.process_time() - begun) / REQUESTS * 1e6)
    return best[0], best[1]


def main() -> None:
    print("| with | calls without | with | CPU µs without | with | ratio |\n|---|---|---|---|---|---|")
    for name, (few, much) in CASES.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        pair = few(), much()
        for once in pair:
            for _ in range(200):
                once()
        gc.collect()
        gc.freeze()
        gc.disable()
        counted = [calls(once) for once in pair]
        little, more = least(pair)
        gc.enable()
        gc.unfreeze()
        print(
            f"| {name} | {counted[0]:.0f} | {counted[1]:.0f} | {little:.0f} | {more:.0f} | {more / little:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
