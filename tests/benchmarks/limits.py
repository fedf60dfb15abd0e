"""
What limits of usage cost: C{python -m tests.benchmarks.limits}.

Small POSTs in memory (L{tests.harness}), one after another, whose usage is read and priced: of a token without limits,
with C{rpm_limit}, and with C{rpm_limit}, C{tpm_limit}, C{max_parallel_requests} and C{max_budget}, the latter of which
is counted here, or leased of a database that others use too, which is not asked meanwhile. Processor time, without
kernel, reactor, access log and metrics. They take turns in each round; figures are medians of the
rounds', so that what else runs on the machine runs beside all of them. Limits are to take a tenth of the requests a
second at most.

C{--proxied ROUNDS} has two whole proxies with a database take turns in front of one upstream over real sockets, whose
tokens are not limited, and by all four.
"""

from __future__ import annotations

import argparse
import gc
import statistics
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from llmproxy.app.leasedbudgets import NewBudgets
from llmproxy.bench.answers import COMPLETION
from llmproxy.config.model import MeterConfig
from llmproxy.core.limits.leasing import Answer, Ask
from llmproxy.core.pricing.rules import PriceRule
from llmproxy.core.pricing.tariff import Price
from llmproxy.limits.leased import LeasedBudgets
from llmproxy.message import Principal
from llmproxy.usagelimits import UsageLimits

from ..harness import SECRET, Exchange
from .metering import REQUEST, microseconds
from .pairs import in_turns, show

MANY = 10**9
PRICES = {"input_tokens": Price(Decimal("0.15")), "output_tokens": Price(Decimal("0.6"))}
PRICED = """\
    meter: on
prices: [{api: benchmark, model: "*", input: 0.15, output: 0.6}]
"""
LIMITED = """\
usage_limits:
  defaults: {rpm_limit: 100000000, tpm_limit: 10000000000, max_parallel_requests: 100000, max_budget: 1000000}
"""
ALL_FOUR: dict[str, Any] = {"tpm_limit": MANY, "max_parallel_requests": MANY, "max_budget": Decimal(MANY)}


class Granting:
    """A database that leases all of a budget. Nothing else is asked of it as long as no time passes."""

    def say(self, asks: Sequence[Ask]) -> Deferred[list[Answer | None]]:
        return succeed([Answer(0, ask.limit, ask.limit - ask.holds, 0) for ask in asks])


def leases(clock: Any) -> NewBudgets:
    """What leases money there."""

    def made(spent: Any, warn: Any) -> LeasedBudgets:
        spent_of = lambda rules: succeed([0] * len(rules))  # noqa: E731
        return LeasedBudgets(clock, Granting(), "1" * 32, spent, spent_of, warn)  # type: ignore[arg-type]

    return made


def limit(exchange: Exchange, **limits: Any) -> None:
    """Limit its token so."""
    known = exchange.directory.known
    principal = known[SECRET]
    token = evolve(principal.token, limits=UsageLimits(**limits)) if limits else principal.token
    known[SECRET] = Principal(token, principal.project)


def limited(is_leased: bool = False, **limits: Any) -> Exchange:
    """A proxy whose token is limited so, by more than is ever used."""
    exchange = Exchange(meter=MeterConfig(enabled=True), budgets=leases(Clock()) if is_leased else None)
    limit(exchange, **limits)
    exchange.costs.use([PriceRule("api", "*", prices=PRICES)], ())
    # As the application does with all of them, limited or not.
    exchange.account.seal = exchange.costs.note
    return exchange


def posts(is_leased: bool = False, **limits: Any) -> Callable[[], object]:
    """One small POST after another."""
    exchange = limited(is_leased, **limits)
    client = exchange.client()

    def once() -> None:
        client.receive(REQUEST)
        exchange.upstream[0].receive(COMPLETION)
        client.sent = exchange.upstream[0].sent = b""
        [record] = exchange.records
        assert (record.status, record.cost is None) == (200, False), record
        exchange.records.clear()

    return once


WORKS: dict[str, Callable[[], Callable[[], object]]] = {
    "none": posts,
    "`rpm_limit`": partial(posts, rpm_limit=MANY),
    "all four": partial(posts, rpm_limit=MANY, **ALL_FOUR),
    "all four, money leased": partial(posts, True, rpm_limit=MANY, **ALL_FOUR),
}
"""By the limits of a token, what begins with them, and gives what is done again and again."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--requests", type=int, default=1000, help="in each round, with each of them")
    parser.add_argument("--proxied", type=int, metavar="ROUNDS", help="measure whole proxies, so many times")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each of those")
    options = parser.parse_args()
    if options.proxied:
        proxies: dict[str, tuple[str, dict[str, str]]] = {"none": (PRICED, {}), "all four": (PRICED + LIMITED, {})}
        show("limits of the token", in_turns(proxies, options.proxied, options.seconds))
        return
    gc.disable()
    works = [begin() for begin in WORKS.values()]
    rounds = [[microseconds(once, options.requests) for once in works] for _ in range(options.rounds + 1)][1:]
    print("| limits of the token | CPU µs a request | more | requests a second |\n|---|---|---|---|")
    for name, times in zip(WORKS, zip(*rounds, strict=True), strict=True):
        more = statistics.median(time - row[0] for time, row in zip(times, rounds, strict=True))
        ratio = statistics.median(row[0] / time for time, row in zip(times, rounds, strict=True))
        print(f"| {name} | {statistics.median(times):.1f} | {more:.1f} | {100 * ratio:.1f} % |")


if __name__ == "__main__":
    main()
