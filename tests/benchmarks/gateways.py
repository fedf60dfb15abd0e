"""
Small requests beside other gateways: C{python -m tests.benchmarks.gateways}.

vllm-router (Rust) and LiteLLM (Python) are installed from PyPI, Portkey's gateway (Node) from npm, each in an
environment of its own below C{--directory}, which is kept for the next time; nginx, HAProxy and Envoy take part where
they are installed. Each does what it does by default for one OpenAI-shaped upstream; llmproxy has its whole chain on,
and its compiled build takes part with C{--wheel} (C{make wheels}). Every target is one process with one thread of work
where it can be told so, all go to one upstream that is a process of its own, and they take turns in each round. What is
compared is processor time of the targets' processes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from llmproxy.bench.proc import allow_descriptors
from llmproxy.bench.processes import LoadFailed, fast_upstream, probe, run
from llmproxy.bench.stats import cpu_per_request
from llmproxy.bench.values import LoadSpec, Result, Target

from ..compiled import ROOT, lay_out
from .builds import proxy_from
from .proxied import free_port, running_proxy
from .requests import BODY, PATH, spec, through
from .throughput import nginx, stock

VLLM_ROUTER, LITELLM, PORTKEY = "vllm-router==0.1.17", "litellm[proxy]==1.108.7", "@portkey-ai/gateway@1.15.2"

PATIENCE = 120.0
"""Seconds that a gateway may take to start: LiteLLM imports for half a minute on a busy machine."""

INSTALLING = 900.0

SLOW, FEW = "LiteLLM (Python)", 4
"""The one that takes milliseconds for each: with more at once than this, answers are late enough to count as lost."""

_LITELLM = """\
model_list:
  - model_name: demo
    litellm_params: {{model: openai/demo, api_base: "http://127.0.0.1:{upstream}/v1", api_key: sk-x}}
"""

_HAPROXY = """\
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  http-reuse always
  server one 127.0.0.1:{upstream}
"""

Start = Callable[[int, Path], AbstractContextManager[Target]]


def _quiet(arguments: Sequence[str], log: Path, **env: str) -> subprocess.Popen[bytes]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with open(log, "wb") as out:
        return subprocess.Popen(arguments, stdout=out, stderr=out, env={**kept, **env}, start_new_session=True)


@contextmanager
def _served(process: subprocess.Popen[bytes], target: Target, log: Path) -> Iterator[Target]:
    """The target, once it answers as upstream does."""
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                status, body = probe(target, target.request(BODY), 10.0)
                if status == 200 and b"The quick brown fox" in body:
                    break
                raise LoadFailed(f"status {status}: {body[:200]!r}")
            except (LoadFailed, OSError) as error:
                if process.poll() is not None or time.monotonic() > until:
                    end = log.read_text(errors="replace")[-2000:]
                    raise SystemExit(f"{target.name} does not serve: {error}\n{end}") from None
                time.sleep(0.5)
        yield target
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _target(name: str, port: int, pid: int, *fields: tuple[str, str]) -> Target:
    return Target(name, f"http://127.0.0.1:{port}{PATH}", fields, (pid,))


def _pip(directory: Path, name: str, package: str) -> Path:
    """The directory of the programs of an environment with this package."""
    programs = directory / name / "bin"
    done = directory / name / f"{package}.installed"
    if not done.exists():
        print(f"installing {package}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory / name)], check=True)
        arguments = [str(programs / "python"), "-m", "pip", "install", "--quiet", package]
        subprocess.run(arguments, check=True, timeout=INSTALLING)
        done.touch()
    return programs


@contextmanager
def vllm_router(upstream: int, directory: Path) -> Iterator[Target]:
    programs, port = _pip(directory, "vllm-router", VLLM_ROUTER), free_port()
    arguments = [str(programs / "vllm-router"), "--host", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    arguments += ["--worker-urls", f"http://127.0.0.1:{upstream}", "--policy", "round_robin"]
    arguments += ["--prometheus-port", str(free_port())]
    log = directory / "vllm-router.log"
    process = _quiet(arguments, log, TOKIO_WORKER_THREADS="1")
    with _served(process, _target("vllm-router (Rust)", port, process.pid), log) as target:
        yield target


@contextmanager
def litellm(upstream: int, directory: Path) -> Iterator[Target]:
    programs, port = _pip(directory, "litellm", LITELLM), free_port()
    config, log = directory / "litellm.yaml", directory / "litellm.log"
    config.write_text(_LITELLM.format(upstream=upstream))
    arguments = [str(programs / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    key = f"sk-{os.urandom(32).hex()}"
    # Nobody outside of this machine is asked for anything: prices come with the package.
    local = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "LITELLM_MASTER_KEY": key}
    local["PATH"] = f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"
    process = _quiet(arguments, log, **local)
    target = _target(SLOW, port, process.pid, ("Authorization", f"Bearer {key}"))
    with _served(process, target, log):
        yield target


@contextmanager
def portkey(upstream: int, directory: Path) -> Iterator[Target]:
    place, port = directory / "portkey", free_port()
    done = place / f"{PORTKEY.replace('/', '-')}.installed"
    if not done.exists():
        print(f"installing {PORTKEY}", file=sys.stderr)
        arguments = ["npm", "install", "--silent", "--no-save", "--prefix", str(place), PORTKEY]
        subprocess.run(arguments, check=True, timeout=INSTALLING)
        done.touch()
    log = directory / "portkey.log"
    server = place / "node_modules/@portkey-ai/gateway/build/start-server.js"
    process = _quiet(["node", str(server), f"--port={port}", "--headless"], log, TRUSTED_CUSTOM_HOSTS="127.0.0.1")
    fields = (
        ("Authorization", "Bearer sk-x"),
        ("x-portkey-provider", "openai"),
        ("x-portkey-custom-host", f"http://127.0.0.1:{upstream}/v1"),
    )
    with _served(process, _target("Portkey (Node)", port, process.pid, *fields), log) as target:
        yield target


@contextmanager
def haproxy(upstream: int, directory: Path) -> Iterator[Target]:
    port = free_port()
    config, log = directory / "haproxy.cfg", directory / "haproxy.log"
    config.write_text(_HAPROXY.format(port=port, upstream=upstream))
    process = _quiet(["haproxy", "-db", "-f", str(config)], log)
    with _served(process, _target("HAProxy", port, process.pid), log) as target:
        yield target


@contextmanager
def envoy(upstream: int, directory: Path) -> Iterator[Target]:
    port = free_port()
    config, log = directory / "envoy.json", directory / "envoy.log"
    config.write_text(json.dumps(_envoy(port, upstream)))
    process = _quiet(["envoy", "-c", str(config), "--concurrency", "1", "--log-level", "error"], log)
    with _served(process, _target("Envoy", port, process.pid), log) as target:
        yield target


def _envoy(port: int, upstream: int) -> Mapping[str, object]:
    def address(port: int) -> Mapping[str, object]:
        return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}

    kinds = "type.googleapis.com/envoy.extensions.filters"
    route = {"match": {"prefix": "/"}, "route": {"cluster": "up", "timeout": "0s"}}
    manager = {
        "@type": f"{kinds}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{kinds}.http.router.v3.Router"}}
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    assignment = {"cluster_name": "up", "endpoints": [{"lb_endpoints": [{"endpoint": address(upstream)}]}]}
    return {
        "static_resources": {
            "listeners": [{**address(port), "filter_chains": [{"filters": filters}]}],
            "clusters": [{"name": "up", "type": "STATIC", "load_assignment": assignment}],
        }
    }


@contextmanager
def nginx_target(upstream: int, directory: Path) -> Iterator[Target]:
    with nginx(upstream) as (port, pid):
        yield _target("nginx proxy_pass", port, pid)


@contextmanager
def stock_target(upstream: int, directory: Path) -> Iterator[Target]:
    with stock(upstream) as (port, pid):
        yield _target("stock twisted.web + treq", port, pid)


OTHERS: Mapping[str, tuple[str | None, Start]] = {
    "stock": (None, stock_target),
    "nginx": ("nginx", nginx_target),
    "haproxy": ("haproxy", haproxy),
    "envoy": ("envoy", envoy),
    "vllm-router": (None, vllm_router),
    "portkey": ("npm", portkey),
    "litellm": (None, litellm),
}
"""By name, the program that must be there, and what starts it."""


def measured(targets: Sequence[Target], rounds: int, seconds: float, connections: int) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {target.name: [] for target in targets}

    def load(target: Target) -> LoadSpec:
        return spec(target, min(connections, FEW) if target.name == SLOW else connections, seconds)

    for target in targets:
        # Warm, however long the first answers take: what is late in this one does not count.
        run([load(target)])
    for number in range(rounds):
        for target in targets if number % 2 else reversed(targets):
            result = run([load(target)])
            assert not result.failed, (target.name, result.errors)
            results[target.name].append(result)
    return results


def show(results: Mapping[str, Sequence[Result]], first: str) -> None:
    """@param first: whom the others are compared with."""
    print("| gateway | requests/s | CPU µs a request | to llmproxy, by rounds: median | lowest | highest | p99 ms |")
    print("|---|---|---|---|---|---|---|")
    for name, found in results.items():
        cpu = [cpu_per_request(result) for result in found]
        ratios = [one / cpu_per_request(ours) for one, ours in zip(cpu, results[first], strict=True)]
        rate = statistics.median(result.per_second for result in found)
        p99 = statistics.median(result.latency.percentile(99) / 1e6 for result in found)
        print(
            f"| {name} | {rate:,.0f} | {statistics.median(cpu):,.0f} | {statistics.median(ratios):.2f} × | "
            f"{min(ratios):.2f} × | {max(ratios):.2f} × | {p99:.1f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--directory", default=str(Path(tempfile.gettempdir(), "llmproxy-gateways")))
    parser.add_argument("--wheel", help="a compiled wheel of llmproxy for this Python")
    parser.add_argument("--only", action="append", choices=list(OTHERS), help="repeatable; else all")
    options = parser.parse_args()
    allow_descriptors()
    directory = Path(options.directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as running:
        upstream, _ = running.enter_context(fast_upstream())
        targets = [
            through("llmproxy", running.enter_context(running_proxy(upstream))),
            through("llmproxy, ledger off", running.enter_context(running_proxy(upstream, settings="ledger: off\n"))),
        ]
        if options.wheel:
            laid = running.enter_context(tempfile.TemporaryDirectory(prefix="llmproxy-compiled-"))
            lay_out(options.wheel, Path(laid))
            assert laid != str(ROOT)
            targets.append(through("llmproxy, compiled", running.enter_context(proxy_from(laid, upstream))))
        for name, (program, start) in OTHERS.items():
            if options.only and name not in options.only:
                continue
            if program is not None and shutil.which(program) is None:
                print(f"{name} is left out: {program} is not installed", file=sys.stderr)
                continue
            targets.append(running.enter_context(start(upstream, directory)))
        show(measured(targets, options.rounds, options.seconds, options.connections), targets[0].name)


if __name__ == "__main__":
    main()
