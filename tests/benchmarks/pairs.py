"""Whole proxies that take turns in front of one upstream: what each costs beside the first."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from contextlib import ExitStack

from llmproxy.bench.processes import fast_upstream, run
from llmproxy.bench.stats import cpu_per_request
from llmproxy.bench.values import Result

from .proxied import running_proxy
from .requests import spec, through

CONNECTIONS = 32


def in_turns(
    proxies: Mapping[str, tuple[str, Mapping[str, str]]], rounds: int, seconds: float
) -> dict[str, list[Result]]:
    """
    A result for each round, by name.

    @param proxies: further lines of YAML for the API, and variables.
    """
    found: dict[str, list[Result]] = {name: [] for name in proxies}
    with ExitStack() as running:
        port, _ = running.enter_context(fast_upstream())
        targets = [
            through(name, running.enter_context(running_proxy(port, settings=settings, env=env)))
            for name, (settings, env) in proxies.items()
        ]
        for number in range(rounds):
            for target in targets if number % 2 else targets[::-1]:
                result = run([spec(target, CONNECTIONS, seconds)])
                assert not result.failed, (target.name, result.errors)
                found[target.name].append(result)
    return found


def show(title: str, found: Mapping[str, list[Result]]) -> None:
    """A table; ratios are medians of those of each round."""
    first = next(iter(found.values()))
    print(f"| {title} | requests a second | CPU µs a request | ratio |\n|---|---|---|---|")
    for name, results in found.items():
        ratios = [cpu_per_request(one) / cpu_per_request(other) for other, one in zip(first, results, strict=True)]
        a_second = statistics.median(result.per_second for result in results)
        each = statistics.median(map(cpu_per_request, results))
        print(f"| {name} | {a_second:,.0f} | {each:.1f} | {statistics.median(ratios):.3f} |")
