"""
What storing costs a large download, and what of that is the memory's: C{python -m tests.benchmarks.storing}.

Each case has a proxy of its own, which is asked for the same download to be stored and not, in turn, each with a
target of its own so that none is a hit. A pair of two that follow each other is compared, and of all pairs the median
counts, with the range in which it lies at 95 %: what else happens on the machine changes both of a pair, and a single
figure means little. Beside the time that the client sees stands the processor time of the proxy's reactor.

The floor is a proxy without a cache that only keeps what passes, as many downloads as the store does
(L{tests.benchmarks.keeping}): nothing that keeps the bytes can cost less.

In the end it is told what hits of such an answer cost, in time, and in memory when their readers stop.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from llmproxy.bench.processes import fast_upstream
from llmproxy.bench.proxied import PROGRAM

from . import keeping
from .chunked import END, chunked_upstream
from .memory import MIB, connect
from .proxied import Running, running_proxy

OPT_IN = "\r\nCache-Control: public, max-age=3600"
DEFAULT = "    cache: {post: opt_in}\n"
WHOLE = "    cache: {post: opt_in, max_object: 1GiB}\n"
NONE = "    cache: false\n"

STORED = 2
"""Downloads that a full store holds."""

STOPPED = 20
"""Readers that take a hit's head and no more."""

MOST_NEW = 12
"""Pairs where all memory is new: each takes a download's size more of it."""


@frozen
class Case:
    """
    @ivar settings: of the API.
    @ivar asks: what the one of a pair has that costs more: appended to the target, and to the head.
    @ivar hit: whether it is in the store then.
    @ivar pairs: at most.
    """

    name: str
    settings: str
    env: Mapping[str, str] = field(factory=dict)
    asks: tuple[str, str] = ("", OPT_IN)
    program: str = PROGRAM
    chunked: bool = False
    hit: bool = False
    pairs: int = 1 << 30


@frozen
class Took:
    """Seconds, as the client sees it and of the reactor's processor time."""

    wall: float
    cpu: float


def cases(size: int) -> list[Case]:
    limit = {"HTTP_CACHE_MEMORY_BYTES": str((STORED + 1) * size)}
    boundless = {"HTTP_CACHE_MEMORY_BYTES": str(1 << 40)}
    keep = ("&keep", "")

    def floor(kept: int) -> dict[str, str]:
        return {keeping.VARIABLE: str(kept)}

    return [
        Case("let go: its length says so", DEFAULT),
        Case("let go after 2 MiB: no length", DEFAULT, chunked=True),
        Case("stored, in a full store", WHOLE, limit, hit=True),
        Case("floor: kept, as many", NONE, floor(STORED + 1), keep, keeping.PROGRAM),
        Case("stored, in a store that grows", WHOLE, boundless, hit=True, pairs=MOST_NEW),
        Case("floor: kept, ever more", NONE, floor(1 << 20), keep, keeping.PROGRAM, pairs=MOST_NEW),
    ]


def reactor_seconds(pid: int) -> float:
    """Processor time of the first thread so far; C{/proc/…/stat} counts in hundredths of a second."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def ask(proxy: Running, size: int, number: int, asks: tuple[str, str]) -> tuple[bytes, float]:
    """The head of the answer, and the seconds that all of it took."""
    began = time.perf_counter()
    sock, answer = started(proxy, size, number, asks)
    with sock:
        read(sock, None if b"chunked" in answer else size)
    return answer, time.perf_counter() - began


def started(proxy: Running, size: int, number: int, asks: tuple[str, str]) -> tuple[socket.socket, bytes]:
    """A connection, and the head of the answer on it."""
    target, fields = asks
    head = f"POST /bytes/{size}?{number}{target} HTTP/1.1\r\nContent-Length: 0{fields}"
    sock, answer = connect(proxy.port, head, proxy.token), b""
    sock.sendall(b"\r\n")
    while b"\r\n\r\n" not in answer:
        answer += sock.recv(1)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    return sock, answer


def read(sock: socket.socket, left: int | None) -> None:
    """Read so many bytes, or to the end of chunks."""
    buffer, tail = bytearray(MIB), b""
    while left if left is not None else tail != END:
        count = sock.recv_into(buffer)
        assert count, "cut"
        if left is None:
            tail = (tail + buffer[max(0, count - len(END)) : count])[-len(END) :]
        else:
            left -= count


def download(proxy: Running, size: int, number: int, asks: tuple[str, str]) -> Took:
    before = reactor_seconds(proxy.pid)
    _, wall = ask(proxy, size, number, asks)
    # What happens after the last byte is not the client's time, but it is the proxy's.
    time.sleep(0.1)
    return Took(wall, reactor_seconds(proxy.pid) - before)


def measure(case: Case, proxy: Running, size: int, pairs: int) -> list[tuple[Took, Took]]:
    """Pairs of a download that asks for nothing, and one that does."""
    took = []
    warmup = 1 if case.pairs < pairs else STORED + 2
    for number in range(min(pairs, case.pairs) + warmup):
        first, second = (("", ""), case.asks)[:: 1 if number % 2 else -1]
        pair = download(proxy, size, number, first), download(proxy, size, number, second)
        took.append(pair if number % 2 else pair[::-1])
    answer, _ = ask(proxy, size, number, case.asks)
    assert (b"llmproxy; hit" in answer) == case.hit, answer
    return took[warmup:]


def median(values: Sequence[float]) -> tuple[float, float, float]:
    """It, and the ends of the range in which it is with a probability of 95 %, by the ranks of the values."""
    ordered = sorted(values)
    rank = max(0, int(len(ordered) / 2 - 0.98 * len(ordered) ** 0.5))
    return statistics.median(ordered), ordered[rank], ordered[-1 - rank]


def shown(pairs: Sequence[tuple[Took, Took]], of: Callable[[Took], float]) -> str:
    plain, asked = (statistics.median(of(pair[at]) for pair in pairs) for at in (0, 1))
    more, low, high = median([of(asked) / of(plain) - 1 for plain, asked in pairs])
    return f"{plain * 1000:.0f} | {asked * 1000:.0f} | {more:+.1%} ({low:+.1%} to {high:+.1%})"


def table(pairs: int, size: int) -> None:
    print(f"| {size // MIB} MiB down | pairs | ms, not asked for | asked for | | CPU ms, not asked for | asked for | |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with fast_upstream() as (upstream, _), chunked_upstream() as chunked:
        for case in cases(size):
            port = chunked if case.chunked else upstream
            with running_proxy(port, settings=case.settings, env=case.env, program=case.program) as proxy:
                took = measure(case, proxy, size, pairs)
            wall, cpu = shown(took, lambda each: each.wall), shown(took, lambda each: each.cpu)
            print(f"| {case.name} | {len(took)} | {wall} | {cpu} |", flush=True)


def hits(size: int) -> None:
    """What a hit of it costs, and what readers do that stop after the head."""
    env = {"HTTP_CACHE_MEMORY_BYTES": str(2 * size)}
    with fast_upstream() as (upstream, _), running_proxy(upstream, settings=WHOLE, env=env) as proxy:
        target = ("&hit", OPT_IN)
        download(proxy, size, 0, target)
        proxy.forget_peak()
        idle = proxy.resident()
        took = [download(proxy, size, 0, target) for _ in range(9)]
        peak = proxy.peak() - idle
        stopped = [started(proxy, size, 0, target) for _ in range(STOPPED)]
        time.sleep(1.0)
        wall, cpu = (statistics.median(getattr(each, what) for each in took) * 1000 for what in ("wall", "cpu"))
        print(f"| hits of {size // MIB} MiB | ms | CPU ms | MiB above idle | with {STOPPED} readers that stopped |")
        print("|---|---|---|---|---|")
        print(f"| from memory | {wall:.0f} | {cpu:.0f} | {peak / MIB:.1f} | {(proxy.peak() - idle) / MIB:.1f} |")
        for sock, answer in stopped:
            assert b"llmproxy; hit" in answer, answer
            sock.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--mib", type=int, default=100, help="size of a download")
    options = parser.parse_args()
    table(options.pairs, options.mib * MIB)
    print()
    hits(options.mib * MIB)


if __name__ == "__main__":
    main()
