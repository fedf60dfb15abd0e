"""
What everything together costs: C{python -m tests.benchmarks.allon}.

Small POSTs in memory (L{tests.harness}), one after another: bare, with each of metering, limits (all four of the token,
money leased), the cache, and events of metadata into a file, and with all of these. (The audit log has what is refused
and what is managed: of a request that is answered it has nothing.) Processor time of requests, records, events and the
sink, without kernel, reactor and access log. They take turns in each round; figures are medians of the rounds', so that
what else runs on the machine runs beside all of them. All together are to take 1.25 times the bare exchange at most.

C{--proxied ROUNDS} has two whole proxies take turns in front of one upstream over real sockets: one bare, and one with
all of that and an audit log, whose token is limited by all four.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import tempfile
from collections.abc import Callable
from functools import partial

from twisted.internet.defer import execute
from twisted.internet.task import Clock

from llmproxy.bench.answers import COMPLETION
from llmproxy.config.model import CacheConfig, MeterConfig
from llmproxy.core.pricing.rules import PriceRule
from llmproxy.sinks.eventbus import EventBus
from llmproxy.sinks.exchangeevents import ExchangeEvents
from llmproxy.sinks.publisher import Publisher

from ..harness import Exchange
from .events import PUBLISHED, queues
from .limits import ALL_FOUR, MANY, PRICES, leases, limit
from .metering import REQUEST, microseconds
from .pairs import in_turns, show

BARE = "    meter: off\n    cache: off\n"
ALL_ON = """\
    meter: on
usage_limits:
  defaults: {{rpm_limit: 100000000, tpm_limit: 10000000000, max_parallel_requests: 100000, max_budget: 1000000}}
prices: [{{api: benchmark, model: "*", input: 0.15, output: 0.6}}]
sinks: [{{name: log, type: file, path: {path}, max_size: 0}}]
"""


def posts(*parts: str) -> Callable[[], object]:
    """One small POST after another, and a batch of the publisher now and then."""
    on = set(parts)
    exchange = Exchange(
        meter=MeterConfig(enabled=bool(on & {"meter", "limits"})),
        cached="cache" in on,
        cache=CacheConfig(enabled="cache" in on),
        budgets=leases(Clock()) if "limits" in on else None,
    )
    if on & {"meter", "limits"}:
        exchange.costs.use([PriceRule("api", "*", prices=PRICES)], ())
        exchange.account.seal = exchange.costs.note
    if "limits" in on:
        limit(exchange, rpm_limit=MANY, **ALL_FOUR)
    client, records, done = exchange.client(), exchange.records, [0]
    bus = EventBus(exchange.clock)
    if "events" in on:
        for queue in queues(exchange.clock, tempfile.mkdtemp(prefix="allon-"), ("file",)):
            bus.subscribe(queue.take)
    sinks = [ExchangeEvents(exchange.clock, bus, execute)] if "events" in on else []
    publisher = Publisher(exchange.clock, sinks, masking=None)

    def once() -> None:
        client.receive(REQUEST)
        exchange.upstream[0].receive(COMPLETION)
        client.sent = exchange.upstream[0].sent = b""
        record = records.pop()
        assert record.status == 200, record
        publisher.publish(record)
        done[0] += 1
        if done[0] % PUBLISHED == 0:
            publisher.flush()

    return once


WORKS: dict[str, Callable[[], Callable[[], object]]] = {
    "bare": posts,
    "metering": partial(posts, "meter"),
    "metering and limits": partial(posts, "meter", "limits"),
    "cache": partial(posts, "cache"),
    "events": partial(posts, "events"),
    "all on": partial(posts, "meter", "limits", "cache", "events"),
}
"""By what is on, what begins with it, and gives what is done again and again."""


def proxied(rounds: int, seconds: float) -> None:
    """Whole proxies, in turns."""
    with tempfile.TemporaryDirectory(prefix="allon-") as directory:
        path = os.path.join(directory, "events.jsonl")
        proxies = {"bare": (BARE, {"AUDIT_ENABLED": "false"}), "all on": (ALL_ON.format(path=path), {})}
        found = in_turns(proxies, rounds, seconds)
        with open(path, "rb") as file:
            print(f"{sum(1 for _ in file)} events\n")
    show("what is on", found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--requests", type=int, default=1000, help="in each round, with each of them")
    parser.add_argument("--proxied", type=int, metavar="ROUNDS", help="measure whole proxies, so many times")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each of those")
    options = parser.parse_args()
    if options.proxied:
        proxied(options.proxied, options.seconds)
        return
    gc.disable()
    works = [begin() for begin in WORKS.values()]
    rounds = [[microseconds(once, options.requests) for once in works] for _ in range(options.rounds + 1)][1:]
    print("| what is on | CPU µs a request | more | ratio |\n|---|---|---|---|")
    for name, times in zip(WORKS, zip(*rounds, strict=True), strict=True):
        more = statistics.median(time - row[0] for time, row in zip(times, rounds, strict=True))
        ratio = statistics.median(time / row[0] for time, row in zip(times, rounds, strict=True))
        print(f"| {name} | {statistics.median(times):.1f} | {more:.1f} | {ratio:.3f} |")


if __name__ == "__main__":
    main()
