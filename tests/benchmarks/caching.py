"""
What the cache gives and costs: C{python -m tests.benchmarks.caching}.

Hits beside the same requests without the cache, through one proxy in one run, taking turns; then
L{tests.benchmarks.storing}, large downloads that are let go on their way, or stored whole.
"""

from __future__ import annotations

import argparse
import statistics

from llmproxy.bench.proc import allow_descriptors
from llmproxy.bench.processes import fast_upstream, run
from llmproxy.bench.stats import cpu_per_request
from llmproxy.bench.values import LoadSpec, Result, Target

from . import storing
from .memory import MIB
from .proxied import Running, running_proxy

PATH = "/v1/chat/completions"
BODY = b'{"model":"demo","messages":[{"role":"user","content":"Hello there"}]}'
OPT_IN = ("Cache-Control", "public, max-age=3600")
SETTINGS = "    cache: {post: opt_in}\n"


def spec(target: Target, connections: int, seconds: float) -> LoadSpec:
    return LoadSpec(
        mode="closed",
        host=target.host,
        port=target.port,
        request=target.request(BODY if target.method == "POST" else b"").decode("latin-1"),
        connections=connections,
        warmup=0.5,
        duration=seconds,
        pids=target.pids,
        cache=True,
    )


def hits(proxy: Running, rounds: int, seconds: float, connections: int) -> None:
    url = f"http://127.0.0.1:{proxy.port}{PATH}"
    token, pids = ("Authorization", f"Bearer {proxy.token}"), (proxy.pid,)
    targets = [
        Target("GET, not cached", url, (token,), pids, "GET"),
        Target("GET, hit in memory", f"{url}?cacheable=1", (token,), pids, "GET"),
        Target("POST, not cached", url, (token,), pids),
        Target("POST, hit in memory", url, (token, OPT_IN), pids),
    ]
    results: dict[str, list[Result]] = {target.name: [] for target in targets}
    for _ in range(rounds):
        for target in targets:
            result = run([spec(target, connections, seconds)])
            assert not result.failed, (target.name, result.errors)
            results[target.name].append(result)
    print("| request | requests/s | against not cached | CPU µs a request | hits |\n|---|---|---|---|---|")
    for name, found in results.items():
        base = statistics.median(result.per_second for result in results[f"{name.partition(',')[0]}, not cached"])
        rate = statistics.median(result.per_second for result in found)
        cpu = statistics.median(cpu_per_request(result) for result in found)
        share = sum(result.hits for result in found) / sum(result.latency.count for result in found)
        print(f"| {name} | {rate:,.0f} | {rate / base:.2f} × | {cpu:.0f} | {share:.0%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=40, help="of downloads")
    parser.add_argument("--mib", type=int, default=100, help="size of a download")
    options = parser.parse_args()
    allow_descriptors()
    with fast_upstream() as (upstream, _), running_proxy(upstream, settings=SETTINGS) as proxy:
        hits(proxy, options.rounds, options.seconds, options.connections)
    print()
    storing.table(options.pairs, options.mib * MIB)
    print()
    storing.hits(options.mib * MIB)


if __name__ == "__main__":
    main()
