"""
Small requests a second, one process, beside a stock Twisted stack and nginx: C{python -m tests.benchmarks.throughput}.

All targets take turns in each round, so that they share the machine's good and bad minutes; the ratios are
of the medians. The proxy has its whole chain on, metrics, and its access log in a file; it runs once as one process
and once with two workers. nginx takes part where it is installed.

In the first table two workers share two cores with the load and the upstream. What the second worker costs by itself
tells the second table, in which what is measured has one core for itself; see L{tests.benchmarks.onecore}.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from llmproxy.bench.proc import allow_descriptors
from llmproxy.bench.processes import fast_upstream, run
from llmproxy.bench.stats import cpu_per_request, tool_share
from llmproxy.bench.values import Result, Target

from .onecore import Comparison
from .onecore import show as show_on_one_core
from .proxied import free_port, running_proxy
from .requests import PATH, spec, through

NGINX = """\
worker_processes 1; daemon off; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log {directory}/access.log; keepalive_requests 100000000;
  client_body_temp_path {directory}/a; proxy_temp_path {directory}/b; fastcgi_temp_path {directory}/c;
  uwsgi_temp_path {directory}/d; scgi_temp_path {directory}/e;
  {settings}
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""


@contextmanager
def stock(upstream: int) -> Iterator[tuple[int, int]]:
    """The stock stack: its port and pid."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.stock", str(port), str(upstream)])
    try:
        time.sleep(1.5)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def nginx(upstream: int, settings: str = "") -> Iterator[tuple[int, int]]:
    """
    nginx's C{proxy_pass}: its port and pid.

    @param settings: more of them, for its C{http} block.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        config = Path(directory, "nginx.conf")
        config.write_text(NGINX.format(directory=directory, upstream=upstream, port=port, settings=settings))
        process = subprocess.Popen(["nginx", "-c", str(config), "-p", directory], stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    allow_descriptors()
    with ExitStack() as running:
        upstream, upstream_pid = running.enter_context(fast_upstream())
        proxy = running.enter_context(running_proxy(upstream))
        pair = running.enter_context(running_proxy(upstream, workers=2))
        plain, plain_pid = running.enter_context(stock(upstream))
        targets = [
            Target("direct", f"http://127.0.0.1:{upstream}{PATH}"),
            through("llmproxy", proxy),
            through("llmproxy, two workers", pair),
            Target("stock twisted.web + treq", f"http://127.0.0.1:{plain}{PATH}", (), (plain_pid,)),
        ]
        if shutil.which("nginx"):
            port, pid = running.enter_context(nginx(upstream))
            targets.append(Target("nginx proxy_pass", f"http://127.0.0.1:{port}{PATH}", (), (pid,)))
        results: dict[str, list[Result]] = {target.name: [] for target in targets}
        for _round in range(options.rounds):
            for target in targets:
                result = run([spec(target, options.connections, options.seconds)])
                assert not result.failed, (target.name, result.errors)
                results[target.name].append(result)
        show(results)
        if len(os.sched_getaffinity(0)) > 1:
            print()
            comparison = Comparison(running, (upstream, upstream_pid), (options.connections, options.seconds))
            comparison.run(options.rounds)
            show_on_one_core(comparison.results)


def show(results: dict[str, list[Result]]) -> None:
    def median(name: str, figure: object) -> float:
        return statistics.median(figure(result) for result in results[name])  # type: ignore[operator]

    def rate(result: Result) -> float:
        return result.per_second

    ours, our_cpu = median("llmproxy", rate), median("llmproxy", cpu_per_request)
    print("| target | requests/s | llmproxy is | CPU µs a request | llmproxy is | p50 ms | p99 ms | load tool's core |")
    print("|---|---|---|---|---|---|---|---|")
    for name in results:
        theirs = median(name, rate)
        cpu = median(name, cpu_per_request)
        p50 = median(name, lambda result: result.latency.percentile(50) / 1e6)
        p99 = median(name, lambda result: result.latency.percentile(99) / 1e6)
        share = median(name, tool_share)
        print(
            f"| {name} | {theirs:,.0f} | {ours / theirs:.2f} × | {f'{cpu:.0f}' if cpu else '-'} | "
            f"{f'{cpu / our_cpu:.2f} ×' if cpu else '-'} | {p50:.1f} | {p99:.1f} | {share:.0%} |"
        )


if __name__ == "__main__":
    main()
