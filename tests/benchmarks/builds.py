"""
What compiling brings: C{python -m tests.benchmarks.builds WHEEL}, with a compiled wheel (C{make wheels}).

Two proxies with their whole chain on, one of each build, in front of one upstream, each a process of its own. They take
turns in each round with a small POST, a small GET that is answered from memory, and events of streams. What is compared
is the processor time of the proxies' processes, round by round, so that what else runs on the machine runs beside both.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import evolve

from llmproxy.bench.proc import allow_descriptors
from llmproxy.bench.processes import fast_upstream, run
from llmproxy.bench.stats import cpu_per_event, cpu_per_request
from llmproxy.bench.values import LoadSpec, Result, Target

from ..compiled import ROOT, lay_out
from .proxied import Running, running_proxy
from .requests import spec, through

PURE, COMPILED = "pure", "compiled"


def small_post(target: Target, connections: int, seconds: float) -> LoadSpec:
    return spec(target, connections, seconds)


def hit(target: Target, connections: int, seconds: float) -> LoadSpec:
    """The first one of each run brings the answer."""
    asked = evolve(target, url=target.url + "?cacheable=1", method="GET")
    made = spec(asked, connections, seconds)
    return evolve(made, request=asked.request(b"").decode("latin-1"), cache=True)


def stream(target: Target, connections: int, seconds: float) -> LoadSpec:
    """More events than can pass, each in a chunk of its own."""
    asked = evolve(target, url=target.url + "?sse=2000&interval=1")
    return evolve(spec(asked, connections, seconds), mode="sse", warmup=1.0)


KINDS: dict[str, tuple[Callable[[Target, int, float], LoadSpec], Callable[[Result], float]]] = {
    "a small POST": (small_post, cpu_per_request),
    "a hit in memory": (hit, cpu_per_request),
    "an event of a stream": (stream, cpu_per_event),
}
"""By what is counted: the load, and microseconds of processor time for each."""


@contextmanager
def proxy_from(directory: str, upstream: int) -> Iterator[Running]:
    """One of the package that is in C{directory}, which Python looks for where it is started."""
    before = os.getcwd()
    os.chdir(directory)
    try:
        with running_proxy(upstream, env={"PYTHONPATH": directory}) as proxy:
            os.chdir(before)
            is_compiled = "llmproxy__mypyc" in Path(f"/proc/{proxy.pid}/maps").read_text()
            assert is_compiled == (directory != str(ROOT)), "another build runs"
            yield proxy
    finally:
        os.chdir(before)


def measured(wheel: str, rounds: int, seconds: float, connections: int) -> dict[str, list[tuple[float, float]]]:
    """By what is counted, the figures of pure and compiled in each round."""
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    with ExitStack() as running:
        directory = running.enter_context(TemporaryDirectory(prefix="llmproxy-compiled-"))
        lay_out(wheel, Path(directory))
        port, _ = running.enter_context(fast_upstream())
        proxies = {
            name: through(name, running.enter_context(proxy_from(where, port)))
            for name, where in ((PURE, str(ROOT)), (COMPILED, directory))
        }
        for number in range(rounds):
            for kind, (load, figure) in KINDS.items():
                figures = {}
                for name in (PURE, COMPILED) if number % 2 else (COMPILED, PURE):
                    result = run([load(proxies[name], connections, seconds)])
                    assert not result.failed, (kind, name, result.errors)
                    figures[name] = figure(result)
                found[kind].append((figures[PURE], figures[COMPILED]))
    return found


def show(found: dict[str, list[tuple[float, float]]]) -> None:
    print("| what | pure, CPU µs | compiled | ratio, by rounds: median | lowest | highest |\n|---|---|---|---|---|---|")
    for kind, pairs in found.items():
        pure, compiled = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratios = [second / first for first, second in pairs]
        print(
            f"| {kind} | {pure:.1f} | {compiled:.1f} | {statistics.median(ratios):.2f} × | "
            f"{min(ratios):.2f} × | {max(ratios):.2f} × |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    allow_descriptors()
    show(measured(options.wheel, options.rounds, options.seconds, options.connections))


if __name__ == "__main__":
    main()
