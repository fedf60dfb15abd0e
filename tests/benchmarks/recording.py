"""
What it costs to know what requests have used: C{python -m tests.benchmarks.recording}.

Four proxies with their whole chain on take turns in each round with small requests over 64 connections, in front of one
upstream: one that looks at no answer and keeps no records, one that reads the usage of answers, and two that keep
records of them as well, which a thread or a process of its own writes into the database (SQLite). A ratio is the median
of those of each round, to the first of them: what else runs on the machine, runs beside all. Processor time
is of the process that serves, and of the one that writes records, where there is one.
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import ExitStack

from attrs import frozen

from llmproxy.bench.proc import allow_descriptors, cpu_seconds, family
from llmproxy.bench.processes import fast_upstream, run
from llmproxy.bench.values import Target

from .proxied import running_proxy
from .requests import spec, through

WAYS = {
    "nothing": "    meter: off\nledger: off\n",
    "the usage is read": "    meter: on\nledger: off\n",
    "records, by a thread": "    meter: on\nledger: {own_process: false}\n",
    "records, by a process": "    meter: on\nledger: {own_process: true}\n",
}
"""What each proxy has in its configuration."""

WARM = 3.0
"""Seconds of load before the first round: a busy proxy starts its process for records within them."""


@frozen
class Round:
    """
    @ivar rate: requests a second.
    @ivar serving: microseconds of processor time for each, of the process that serves; C{writing} of its others.
    """

    rate: float
    serving: float
    writing: float


def of_a_round(target: Target, connections: int, seconds: float) -> Round:
    [pid] = target.pids
    before = _worked(pid)
    result = run([spec(target, connections, seconds)])
    assert not result.failed, (target.name, result.errors)
    serving, others = (now - then for now, then in zip(_worked(pid), before, strict=True))
    # Of the measured window it is only known what all of them took.
    each = result.cpu / result.completed * 1e6
    share = others / (serving + others) if others else 0.0
    return Round(result.per_second, each * (1 - share), each * share)


def _worked(pid: int) -> tuple[float, float]:
    """Seconds of a processor until now: of a process itself, and of its children."""
    total, others = cpu_seconds([pid]), cpu_seconds(family([pid]) - {pid})
    return total - others, others


def measured(rounds: int, seconds: float, connections: int) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {name: [] for name in WAYS}
    with ExitStack() as running:
        port, _ = running.enter_context(fast_upstream())
        targets = [
            through(name, running.enter_context(running_proxy(port, settings=settings)))
            for name, settings in WAYS.items()
        ]
        for target in targets:
            of_a_round(target, connections, WARM)
        for number in range(rounds):
            for target in targets if number % 2 else targets[::-1]:
                found[target.name].append(of_a_round(target, connections, seconds))
    return found


def show(found: dict[str, list[Round]]) -> None:
    print("| what is kept | requests/s | ratio | CPU µs, serving | writing records | together, ratio |")
    print("|---|---|---|---|---|---|")
    first = found[next(iter(WAYS))]
    for name, rounds in found.items():
        rates = [one.rate / other.rate for one, other in zip(rounds, first, strict=True)]
        pairs = zip(rounds, first, strict=True)
        both = [(one.serving + one.writing) / (other.serving + other.writing) for one, other in pairs]
        cells = (
            f"{statistics.median(each.rate for each in rounds):,.0f}",
            f"{statistics.median(rates):.2f}",
            f"{statistics.median(each.serving for each in rounds):.0f}",
            f"{statistics.median(each.writing for each in rounds):.0f}",
            f"{statistics.median(both):.2f}",
        )
        print("|", " | ".join([name, *cells]), "|", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    allow_descriptors()
    show(measured(options.rounds, options.seconds, options.connections))


if __name__ == "__main__":
    main()
