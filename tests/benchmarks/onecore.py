"""
What a second worker costs by itself: C{python -m tests.benchmarks.onecore}.

On two cores, two workers, the load tool and the upstream fight for them, and what is measured is mostly the fight: cold
caches and switches. Here whatever is measured has one core for itself, and the tool and the upstream share the other
one, for one process and for two workers alike.

Two processes that take turns on one core find each other's data in its caches. So there are two more: one of the two
workers with the other one held still, which is what being a worker costs, and two proxies that know nothing of each
other, which is what two processes on one core cost whatever they are. All take turns in each round, and each round
gives one ratio; other programs on the same core hurt those most that are switched to and from most often.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from attrs import evolve

from llmproxy.bench.proc import allow_descriptors, family
from llmproxy.bench.processes import fast_upstream, run
from llmproxy.bench.stats import cpu_per_request
from llmproxy.bench.values import Result, Target

from .proxied import running_proxy
from .requests import spec, through

MEASURED, OTHERS = 0, 1
"""The two cores, as places in the list of those that this process may use."""


def pin(pids: Iterable[int], core: int) -> None:
    """Have every thread of these processes and their descendants run on one core, from now on."""
    for pid in family(pids):
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), {core})


@contextmanager
def apart(measured: Iterable[int], others: Iterable[int]) -> Iterator[None]:
    """Cores of their own for C{measured} on the one hand, for C{others} and what this process starts on the other."""
    allowed = os.sched_getaffinity(0)
    cores = sorted(allowed)
    pin(measured, cores[MEASURED])
    pin([*others, os.getpid()], cores[OTHERS])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextmanager
def held_still(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class Comparison:
    """
    @param upstream: its port and its process.
    @param settings: connections, and seconds of each run.
    """

    def __init__(self, running: ExitStack, upstream: tuple[int, int], settings: tuple[int, float]) -> None:
        port, self._upstream = upstream
        self._connections, self._seconds = settings
        one, *pair = (running.enter_context(running_proxy(port)) for _ in range(3))
        workers = running.enter_context(running_proxy(port, workers=2))
        self._one, self._workers = through("one process", one), through("two workers", workers)
        self._pair = [through("two processes that know nothing of each other", each) for each in pair]
        self.results: dict[str, list[Result]] = {}
        _wait_for_children(workers.pid, 2)

    def run(self, rounds: int) -> None:
        measured = [pid for target in (self._one, self._workers, *self._pair) for pid in target.pids]
        with apart(measured, [self._upstream]):
            for _round in range(rounds):
                self._note("one process", [self._one, self._one])
                self._note("two workers", [self._workers, self._workers])
                with held_still(max(family(self._workers.pids) - set(self._workers.pids))):
                    self._note("one of two workers", [self._workers, self._workers])
                self._note("two processes that know nothing of each other", self._pair)

    def _note(self, name: str, targets: Sequence[Target]) -> None:
        """Half of the connections, from a process of their own, to each target."""
        pids = tuple({pid for target in targets for pid in target.pids})
        specs = [spec(target, self._connections // 2, self._seconds) for target in targets]
        result = run([evolve(specs[0], pids=pids), evolve(specs[1], pids=())])
        assert not result.failed, (name, result.errors)
        self.results.setdefault(name, []).append(result)


def _wait_for_children(pid: int, count: int) -> None:
    while len(family([pid])) <= count:
        time.sleep(0.1)
    time.sleep(2)


def show(results: dict[str, list[Result]]) -> None:
    first = next(iter(results.values()))
    print("| on one core | requests/s | CPU µs a request | to the first, by rounds: median | lowest | highest |")
    print("|---|---|---|---|---|---|")
    for name, found in results.items():
        rate = statistics.median(result.per_second for result in found)
        cpu = statistics.median(map(cpu_per_request, found))
        ratios = [cpu_per_request(one) / cpu_per_request(base) for one, base in zip(found, first, strict=True)]
        print(
            f"| {name} | {rate:,.0f} | {cpu:.1f} | {statistics.median(ratios):.3f} × | "
            f"{min(ratios):.3f} × | {max(ratios):.3f} × |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("two cores are needed, one for what is measured and one for the rest")
    allow_descriptors()
    with ExitStack() as running:
        upstream = running.enter_context(fast_upstream())
        comparison = Comparison(running, upstream, (options.connections, options.seconds))
        comparison.run(options.rounds)
        show(comparison.results)


if __name__ == "__main__":
    main()
