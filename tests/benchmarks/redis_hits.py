"""
What a hit costs in memory, in Redis, and in both: C{python -m tests.benchmarks.redis_hits}.

Three proxies with their whole chain on, one for each, take turns in each round with the same small answer; the
ratios are of the medians. Redis is started by this program; it has to be installed.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import threading
from contextlib import ExitStack, suppress

from llmproxy.bench.proc import allow_descriptors
from llmproxy.bench.processes import run
from llmproxy.bench.stats import cpu_per_request
from llmproxy.bench.values import LoadSpec, Result, Target

from ..integration.redisserver import RedisServer
from .proxied import running_proxy

BODY = (
    b'{"object":"list","data":[' + b",".join([b'{"id":"model-%03d","object":"model"}' % n for n in range(24)]) + b"]}"
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: public, max-age=3600\r\n"
    b'ETag: "benchmark"\r\nContent-Length: %d\r\n\r\n%b' % (len(BODY), BODY)
)


def upstream() -> int:
    """The port of a server that says the same to everybody; it ends with this process."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with suppress(ConnectionError):
            while connection.recv(65536):
                connection.sendall(ANSWER)

    threading.Thread(target=serve, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def spec(target: Target, connections: int, seconds: float) -> LoadSpec:
    return LoadSpec(
        mode="closed",
        host=target.host,
        port=target.port,
        request=target.request(b"").decode("latin-1"),
        connections=connections,
        warmup=0.5,
        duration=seconds,
        pids=target.pids,
        cache=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    allow_descriptors()
    with ExitStack() as running:
        server = RedisServer().start()
        running.callback(server.close)
        shared = {"HTTP_CACHE_BACKEND": "redis", "REDIS_CACHE_URL": f"redis://127.0.0.1:{server.port}"}
        kinds = {
            "memory": {},
            "Redis": {**shared, "HTTP_CACHE_MEMORY_BYTES": "0"},
            "Redis behind memory": shared,
        }
        port = upstream()
        targets = []
        for name, env in kinds.items():
            proxy = running.enter_context(running_proxy(port, env=env))
            fields = (("Authorization", f"Bearer {proxy.token}"),)
            url = f"http://127.0.0.1:{proxy.port}/v1/models"
            targets.append(Target(name, url, fields, (proxy.pid,), method="GET"))
        results: dict[str, list[Result]] = {target.name: [] for target in targets}
        for _round in range(options.rounds):
            for target in targets:
                result = run([spec(target, options.connections, options.seconds)])
                assert not result.failed, (target.name, result.errors)
                results[target.name].append(result)
        show(results)


def show(results: dict[str, list[Result]]) -> None:
    rates = {name: statistics.median(one.per_second for one in each) for name, each in results.items()}
    print("| where the hit is | answers/s | of those in memory | hits | CPU µs each | p50 ms | p99 ms |")
    print("|---|---|---|---|---|---|---|")
    for name, each in results.items():
        cpu = statistics.median(cpu_per_request(one) for one in each)
        hits = sum(one.hits for one in each) / sum(one.latency.count for one in each)
        p50, p99 = (statistics.median(one.latency.percentile(p) / 1e6 for one in each) for p in (50, 99))
        row = (f"{rates[name]:,.0f}", f"{rates[name] / rates['memory']:.2f}", f"{hits:.2%}")
        print("|", name, "|", *(f"{each} |" for each in row), f"{cpu:.0f} | {p50:.1f} | {p99:.1f} |")


if __name__ == "__main__":
    main()
