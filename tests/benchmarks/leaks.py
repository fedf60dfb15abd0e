"""
What many exchanges leave behind: C{python -m tests.benchmarks.leaks}.

Clients, proxy and upstream are in this process and talk over real sockets; each exchange ends as chance wants it (see
tests/integration/churn.py). It prints a table: what the process holds after each tenth, once everything has ended.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections import Counter
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import deferLater
from twisted.logger import LogLevel

from llmproxy.bench.proc import allow_descriptors
from llmproxy.cli.reactor import log_to_stderr
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.model import BreakerConfig
from llmproxy.core.tokens import generate, hint, token_hash
from llmproxy.message import Project, Token
from llmproxy.service import ProxyService, Settings, make_service
from tests.integration.churn import AnsweringUpstream, Churn, leftover, living, settled

MIB = 2**20


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


async def started(base_url: str) -> tuple[ProxyService, str]:
    """A proxy, and a token for it."""
    api = APIProviderConfig(
        base_url=base_url,
        allowed_endpoints=["/v1"],
        allowed_methods=["GET", "POST"],
        # Upstream fails on purpose, more often than any breaker would let it.
        breaker=BreakerConfig(threshold=10**9),
    )
    options = Settings(
        apis=APIConfig({"api": api}, "api"),
        management_token="",
        encryption_key=bytes(32),
        database_url=":memory:",
        listen=["tcp:0:interface=127.0.0.1"],
        access_log=os.devnull,
        drain_seconds=0.1,
    )
    service = make_service(reactor, options)
    service.startService()
    await service.started
    secret = generate(os.urandom)
    await service.proxy.database.projects.create(Project("p", "leaks", {"api": ("sk-upstream",)}))
    await service.proxy.database.tokens.create(Token("t", token_hash(secret.encode()), hint(secret), "p", None))
    return service, secret


async def measure(count: int, clients: int, seed: int) -> None:
    upstream = AnsweringUpstream()
    port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(upstream)
    service, secret = await started(f"http://127.0.0.1:{port.getHost().port}")
    churn = Churn(service.ports[0].getHost().port, secret, seed)  # type: ignore[attr-defined]
    print(
        "| exchanges | resident MiB | objects | ours | descriptors | timers | seconds |\n|---|---|---|---|---|---|---|"
    )
    began, step = time.monotonic(), max(1, count // 10)
    # The first thousands make what lasts: statements, label sets, arenas of the allocator.
    await churn.run(step, clients)
    await settled(service, upstream)
    before = living()
    row(step, before, began)
    for done in range(2 * step, count + 1, step):
        await churn.run(step, clients)
        await settled(service, upstream)
        more = await leftover(before)
        row(done, living(), began)
        if more:
            print(f"more than before: {more}")
    endings: Counter[str] = Counter()
    for (_, ended), number in service.proxy.metrics().endings.items():
        endings[ended] += number
    print(f"\nhow they ended: {dict(endings.most_common())}")
    await service.stopService()
    await deferLater(reactor, 0)


def row(done: int, found: Counter[str], began: float) -> None:
    ours = sum(number for name, number in found.items() if name.startswith("llmproxy."))
    objects = len(gc.get_objects())
    print(
        f"| {done:,} | {resident() / MIB:.1f} | {objects:,} | {ours:,} | {found['descriptors']} | {found['timers']}"
        f" | {time.monotonic() - began:.0f} |"
    )
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exchanges", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=50, help="at a time")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    allow_descriptors()
    log_to_stderr(LogLevel.error)

    def run() -> None:
        work: Deferred[Any] = Deferred.fromCoroutine(measure(options.exchanges, options.clients, options.seed))
        work.addErrback(lambda reason: reason.printTraceback()).addBoth(lambda _: reactor.stop())  # type: ignore[attr-defined]

    reactor.callWhenRunning(run)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
