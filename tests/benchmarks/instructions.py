"""
Instructions that an exchange needs, counted by valgrind: C{python -m tests.benchmarks.instructions}.

A busy machine counts the same as an idle one. The sockets are in memory (L{tests.harness}), so that the kernel, the
reactor and what is done off the path of requests (the access log, the metrics) are not in it.
"""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from collections.abc import Callable

from llmproxy.config.model import CacheConfig
from tests.harness import Exchange, a_request
from tests.http2client import Http2Connection
from tests.test_cost import ANSWER, EVENT, GET, OPTED_IN, REQUEST, STORED

from .allon import WORKS as TOGETHER
from .limits import WORKS as LIMITED
from .metering import WORKS as METERED

FEW, MANY = 100, 600
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def small(count: int) -> None:
    """Small POSTs, one after another."""
    exchange = Exchange()
    client = exchange.client()
    for _ in range(count):
        client.receive(REQUEST)
        exchange.upstream[0].receive(ANSWER)
        client.sent = exchange.upstream[0].sent = b""
        exchange.records.clear()


def strange(remembers: bool) -> Callable[[int], None]:
    """Small POSTs of which each has a head of its own, that never came before."""

    def work(count: int) -> None:
        exchange = Exchange(remembers=remembers)
        client = exchange.client()
        for number in range(count):
            client.receive(REQUEST.replace(b"OpenAI/Python", b"OpenAI/%06d" % number))
            exchange.upstream[0].receive(ANSWER)
            client.sent = exchange.upstream[0].sent = b""
            exchange.records.clear()

    return work


def http2(count: int) -> None:
    """Small POSTs over HTTP/2; what the client does is in it, as h2 does it."""
    exchange = Exchange()
    client = Http2Connection(exchange)
    for _ in range(count):
        client.socket.receive(client.post())
        exchange.turn()
        exchange.upstream[0].receive(ANSWER)
        client.take()
        exchange.upstream[0].sent = b""
        exchange.records.clear()


def http2_event(count: int) -> None:
    """Events of one stream over HTTP/2, likewise."""
    exchange = Exchange()
    client = Http2Connection(exchange)
    client.socket.receive(client.post())
    exchange.turn()
    [upstream] = exchange.upstream
    upstream.receive(CHUNKED)
    for _ in range(count):
        upstream.receive(EVENT)
        client.take()


def event(count: int) -> None:
    """Events of one stream."""
    exchange = Exchange()
    client = exchange.client()
    client.receive(REQUEST)
    [upstream] = exchange.upstream
    upstream.receive(CHUNKED)
    for _ in range(count):
        upstream.receive(EVENT)
        client.sent = b""


def stored(count: int) -> None:
    """Small GETs whose answers are stored."""
    exchange = Exchange(cached=True)
    client = exchange.client()
    for number in range(count):
        client.receive(a_request(b"/v1/models/%d" % number))
        exchange.upstream[0].receive(STORED)
        exchange.records.clear()
        client.sent = exchange.upstream[0].sent = b""


def hits(request: bytes) -> Callable[[int], None]:
    """The same request, answered from memory again and again."""

    def work(count: int) -> None:
        exchange = Exchange(cached=True, cache=CacheConfig(post="opt_in"))
        client = exchange.client()
        client.receive(request)
        exchange.upstream[0].receive(STORED)
        for _ in range(count):
            exchange.records.clear()
            client.receive(request)
            client.sent = b""
        assert not count or exchange.records[-1].cache == "hit"

    return work


def again(begin: Callable[[], Callable[[], object]]) -> Callable[[int], None]:
    """What is begun, again and again."""

    def work(count: int) -> None:
        once = begin()
        for _ in range(count):
            once()

    return work


def metered(begin: Callable[[str], Callable[[], object]], meter: str) -> Callable[[int], None]:
    """Answers that tell their usage, read or not."""

    def work(count: int) -> None:
        once = begin(meter)
        for _ in range(count):
            once()

    return work


WORKS: dict[str, Callable[[int], None]] = {
    "a small POST": small,
    "a small POST whose head never came before": strange(True),
    "a small POST whose head never came before, where none is remembered": strange(False),
    "a hit of a small GET": hits(GET),
    "a hit of an opted-in POST": hits(OPTED_IN),
    "a stored miss of a small GET": stored,
    "an event of a stream": event,
    "a small POST over HTTP/2, client and all": http2,
    "an event of a stream over HTTP/2, client and all": http2_event,
    **{f"a small POST, limits {name}": again(begin) for name, begin in LIMITED.items()},
    **{f"a small POST, {name}": again(begin) for name, begin in TOGETHER.items()},
    **{f"{name}, meter {meter}": metered(begin, meter) for name, begin in METERED.items() for meter in ("off", "on")},
}


def instructions(name: str, count: int) -> int:
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=/dev/null", sys.executable]
    told = subprocess.run(
        [*command, "-m", __spec__.name, name, str(count)], capture_output=True, text=True, check=True
    ).stderr
    found = re.search(r"Collected : (\d+)", told)
    assert found is not None, told
    return int(found[1])


def count_from_now(whether: str) -> None:
    """Starting a process uncounted takes seconds instead of minutes."""
    subprocess.run(["callgrind_control", "-i", whether, str(os.getpid())], capture_output=True, check=True)


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[2].isdigit():
        # As the program does: the collector would be seen more often in the longer of two runs.
        gc.disable()
        work = WORKS[sys.argv[1]]
        work(FEW)
        count_from_now("on")
        work(int(sys.argv[2]))
        count_from_now("off")
        return
    print("| what | instructions |\n|---|---|")
    for name in sys.argv[1:] or WORKS:
        each = (instructions(name, MANY) - instructions(name, FEW)) / (MANY - FEW)
        print(f"| {name} | {each:,.0f} |")


if __name__ == "__main__":
    main()
