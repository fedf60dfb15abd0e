"""
What reading the usage of answers costs: C{python -m tests.benchmarks.metering}.

Two proxies with their whole chain on, C{meter: off} and C{meter: on}, in front of one upstream, take turns in each
round, with small requests and with streams. Then an answer of 100 MB of embeddings passes, whose usage is at its end:
the trailer says that it was found, and the kernel what memory that took. Then the same as first in memory
(L{tests.harness}), with answers that a small upstream does not make: processor time without kernel, reactor, access log
and metrics. Ratios are medians of those of each round: what else runs on the machine, runs beside both. The first two
ratios are to be at least 0.95 and 0.90.
"""

from __future__ import annotations

import argparse
import gc
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import repeat

from attrs import evolve

from llmproxy.bench.answers import COMPLETION, STREAM_HEAD, event
from llmproxy.bench.proc import allow_descriptors
from llmproxy.bench.processes import fast_upstream, run
from llmproxy.bench.stats import cpu_per_event, cpu_per_request, events_per_second
from llmproxy.bench.values import LoadSpec, Result, Target
from llmproxy.config.model import MeterConfig

from ..harness import Exchange
from ..harness import a_request as on_the_wire
from .proxied import Running, running_proxy
from .requests import BODY, PATH, spec, through

OFF, ON = "off", "on"

Figure = Callable[[Result], float]

FIGURES: dict[str, tuple[Figure, Figure]] = {
    "requests": (lambda result: result.per_second, cpu_per_request),
    "events": (events_per_second, cpu_per_event),
}
"""By what is counted: how many a second, and microseconds of processor time for each."""


def streams(target: Target, connections: int, seconds: float) -> LoadSpec:
    """More events than can pass, each in a chunk of its own."""
    asked = evolve(target, url=target.url + "?sse=2000&interval=1")
    return evolve(spec(asked, connections, seconds), mode="sse", warmup=1.0)


def measured(rounds: int, seconds: float, connections: int) -> dict[str, dict[str, list[Result]]]:
    """By what is counted and by meter, a result for each round."""
    found: dict[str, dict[str, list[Result]]] = {kind: {OFF: [], ON: []} for kind in FIGURES}
    with ExitStack() as running:
        port, _ = running.enter_context(fast_upstream())
        targets = [
            through(meter, running.enter_context(running_proxy(port, settings=f"    meter: {meter}\n")))
            for meter in (OFF, ON)
        ]
        for number in range(rounds):
            for kind, load in (("requests", spec), ("events", streams)):
                for target in targets if number % 2 else targets[::-1]:
                    result = run([load(target, connections, seconds)])
                    assert not result.failed, (kind, target.name, result.errors)
                    found[kind][target.name].append(result)
    return found


def show(found: dict[str, dict[str, list[Result]]]) -> None:
    print("| what | a second, off | on | ratio | CPU µs each, off | on | ratio |\n|---|---|---|---|---|---|---|")
    for kind, by_meter in found.items():
        cells = [cell for figure in FIGURES[kind] for cell in _pair(figure, by_meter)]
        print("|", " | ".join([kind, *cells]), "|")


def _pair(figure: Figure, by_meter: dict[str, list[Result]]) -> list[str]:
    off, on = ([figure(result) for result in by_meter[meter]] for meter in (OFF, ON))
    return [f"{statistics.median(off):,.1f}", f"{statistics.median(on):,.1f}", f"{_ratio(off, on):.3f}"]


def _ratio(off: list[float], on: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(on, off, strict=True))


# -- a long answer

_VECTOR = b'{"object":"embedding","index":0,"embedding":[' + b"-0.0123456789," * 1535 + b"0.1]},"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
_TAIL = b'{}],"model":"e","usage":{"prompt_tokens":4711,"total_tokens":4711}}'


def embeddings(size: int) -> Iterator[bytes]:
    """An answer of so many bytes as upstream sends it; its usage is at its end."""
    yield _HEAD
    for content in (b'{"object":"list","data":[', *repeat(_VECTOR, size // len(_VECTOR)), _TAIL):
        yield b"%x\r\n%b\r\n" % (len(content), content)
    yield b"0\r\n\r\n"


def sending(size: int) -> int:
    """The port of an upstream that answers everything with that; it ends with this process."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with suppress(ConnectionError):
            while connection.recv(65536):
                for piece in embeddings(size):
                    connection.sendall(piece)

    threading.Thread(target=serve, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def receive(proxy: Running) -> bytes:
    """Ask once; the end of the answer, with its trailers."""
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        fields = f"Host: x\r\nAuthorization: Bearer {proxy.token}\r\nContent-Length: {len(BODY)}\r\n\r\n"
        client.sendall(f"POST {PATH} HTTP/1.1\r\n{fields}".encode() + BODY)
        end = b""
        while not (b"\r\n0\r\n" in end and end.endswith(b"\r\n\r\n")):
            piece = client.recv(1 << 20)
            assert piece, "the answer was cut"
            end = (end + piece)[-4096:]
        return end


def show_long(size: int) -> None:
    print("| an answer of so many MB | meter | seconds | MB/s | above idle at most |\n|---|---|---|---|---|")
    port = sending(size)
    for meter, settings in ((OFF, "    meter: off\n"), (ON, "    meter: {enabled: on, usage_trailer: true}\n")):
        with running_proxy(port, settings=settings) as proxy:
            receive(proxy)
            time.sleep(0.3)
            idle = proxy.resident()
            proxy.forget_peak()
            begun = time.monotonic()
            end = receive(proxy)
            seconds = time.monotonic() - begun
            assert meter == OFF or b'"input_tokens":4711' in end, end
            above = (proxy.peak() - idle) / 2**20
            print(f"| {size // 10**6} | {meter} | {seconds:.2f} | {size / seconds / 1e6:.0f} | {above:.1f} MiB |")


# -- in memory

REQUEST = on_the_wire(PATH.encode("ascii"), b"Content-Type: application/json", body=BODY)
_USAGE = b'"usage":{"prompt_tokens":9,"completion_tokens":10,"total_tokens":19}'


def _with(member: bytes) -> bytes:
    """An event of a stream with one more member, in a chunk of its own."""
    content = event(1).partition(b"\r\n")[2].removesuffix(b"\r\n").replace(b'"choices"', member + b',"choices"')
    return b"%x\r\n%b\r\n" % (len(content), content)


EVENTS = {
    "an event": event(1),
    'an event with `"usage":null`': _with(b'"usage":null'),
    "an event with usage": _with(_USAGE),
}


def metered(meter: str) -> Exchange:
    return Exchange(meter=MeterConfig(enabled=meter == ON))


def posts(meter: str) -> Callable[[], object]:
    """One small POST after another."""
    exchange = metered(meter)
    client = exchange.client()

    def once() -> None:
        client.receive(REQUEST)
        exchange.upstream[0].receive(COMPLETION)
        client.sent = exchange.upstream[0].sent = b""
        exchange.records.clear()

    return once


def events_of(piece: bytes) -> Callable[[str], Callable[[], object]]:
    """One event of a stream after another."""

    def begin(meter: str) -> Callable[[], object]:
        exchange = metered(meter)
        client = exchange.client()
        client.receive(REQUEST)
        [upstream] = exchange.upstream
        upstream.receive(STREAM_HEAD)

        def once() -> None:
            upstream.receive(piece)
            client.sent = b""

        return once

    return begin


WORKS: dict[str, Callable[[str], Callable[[], object]]] = {
    "a small POST": posts,
    **{name: events_of(piece) for name, piece in EVENTS.items()},
}
"""By name, what begins with a meter that is on or off, and gives what is done again and again."""


def microseconds(once: Callable[[], object], count: int) -> float:
    begun = time.process_time()
    for _ in range(count):
        once()
    return (time.process_time() - begun) / count * 1e6


def show_in_memory(rounds: int, count: int) -> None:
    print("| in memory, CPU µs | off | on | more | ratio |\n|---|---|---|---|---|")
    for name, begin in WORKS.items():
        off, on = begin(OFF), begin(ON)
        pairs = [(microseconds(off, count), microseconds(on, count)) for _ in range(rounds + 1)][1:]
        without, with_it = (statistics.median(times) for times in zip(*pairs, strict=True))
        more = statistics.median(one - other for other, one in pairs)
        ratio = _ratio(*map(list, zip(*pairs, strict=True)))
        print(f"| {name} | {without:.1f} | {with_it:.1f} | {more:.1f} | {ratio:.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--megabytes", type=int, default=100, help="of the long answer")
    parser.add_argument("--memory-only", action="store_true", help="no proxies, no sockets")
    options = parser.parse_args()
    if not options.memory_only:
        allow_descriptors()
        show(measured(options.rounds, options.seconds, options.connections))
        print()
        show_long(options.megabytes * 10**6)
        print()
    # The collector would come at any time.
    gc.disable()
    show_in_memory(options.rounds * 2, 1000)


if __name__ == "__main__":
    main()
