"""
What TLS and HTTP/2 cost a proxy: C{python -m tests.benchmarks.tlsprotocols}.

One proxy is asked in turns over HTTP/1.1 in clear, over HTTP/1.1 and TLS, and over HTTP/2 and TLS, for a small POST and
for a large answer, by C{h2load} of nghttp2 (Debian: C{nghttp2-client}). What is counted is processor time of the proxy
alone, and each round gives one ratio.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from attrs import field, frozen

from llmproxy.bench.proc import allow_descriptors, cpu_seconds
from llmproxy.bench.processes import fast_upstream
from llmproxy.bench.proxied import PROGRAM, Running

from ..integration.certificates import Authority
from .proxied import free_port, running_proxy
from .requests import BODY, PATH

CLEAR, SECURE, SECOND = "HTTP/1.1", "HTTP/1.1 over TLS", "HTTP/2 over TLS"

_SUCCEEDED = re.compile(r"(\d+) succeeded, (\d+) failed, (\d+) errored")

# IPv6, so that what looks for the port in clear does not find this one.
_LISTEN = "import sys; sys.argv += ['--listen', r'tls:{port}:interface=\\:\\:1']; "
_TLS = "ledger: off\ntls: {{certificates: [{{cert: {cert}, key: {key}}}]}}\n"
"""Records are settled in the same process: that is no cost of a protocol."""


@frozen
class Work:
    """
    @ivar requests: of one run.
    """

    name: str
    path: str
    requests: int
    connections: int
    body: bytes | None = None
    found: dict[str, list[float]] = field(factory=dict)


@contextmanager
def secured_proxy(upstream: int) -> Iterator[tuple[Running, int]]:
    """A proxy, and the port at which it speaks TLS on C{::1}."""
    with tempfile.TemporaryDirectory() as directory:
        cert, key = Authority(directory).issue("localhost")
        port = free_port()
        settings = _TLS.format(cert=cert, key=key)
        with running_proxy(upstream, settings=settings, program=_LISTEN.format(port=port) + PROGRAM) as proxy:
            yield proxy, port


def one_run(proxy: Running, port: int, protocol: str, work: Work, streams: int) -> float:
    """Microseconds of processor time for each answer."""
    # h2load says an address of IPv6 in Host without its brackets: it is given a name.
    where = f"http://127.0.0.1:{proxy.port}" if protocol == CLEAR else f"https://localhost:{port}"
    with tempfile.NamedTemporaryFile() as body:
        arguments = ["h2load", f"--requests={work.requests}", f"--header=Authorization: Bearer {proxy.token}"]
        if protocol == SECOND:
            # As many at once as the others have: a stream in place of a connection.
            clients = max(1, work.connections // streams)
            arguments += [f"--clients={clients}", f"--max-concurrent-streams={streams}", "--npn-list=h2"]
            arguments += ["--window-bits=24", "--connection-window-bits=24"]
        else:
            arguments += [f"--clients={work.connections}", "--h1"]
        if work.body is not None:
            body.write(work.body)
            body.flush()
            arguments += [f"--data={body.name}", "--header=Content-Type: application/json"]
        if protocol != CLEAR:
            arguments.append(f"--connect-to=[::1]:{port}")
        before = cpu_seconds([proxy.pid])
        done = subprocess.run([*arguments, where + work.path], capture_output=True, text=True, check=True)
        spent = cpu_seconds([proxy.pid]) - before
    counted = _SUCCEEDED.search(done.stdout)
    if counted is None or counted.groups() != (str(work.requests), "0", "0"):
        raise SystemExit(f"{protocol}: not every request was answered:\n{done.stdout}{done.stderr}")
    return spent / work.requests * 1e6


def show(works: list[Work]) -> None:
    print("| | µs in clear | over TLS | to clear | HTTP/2 over TLS | to HTTP/1.1 over TLS: median | lowest | highest |")
    print("|---|---|---|---|---|---|---|---|")
    for work in works:
        clear, secure, second = (work.found[name] for name in (CLEAR, SECURE, SECOND))
        ratios = [two / one for one, two in zip(secure, second, strict=True)]
        tls = statistics.median(one / bare for bare, one in zip(clear, secure, strict=True))
        middle: Mapping[str, float] = {name: statistics.median(each) for name, each in work.found.items()}
        print(
            f"| {work.name} | {middle[CLEAR]:,.0f} | {middle[SECURE]:,.0f} | {tls:.2f} × | {middle[SECOND]:,.0f} | "
            f"{statistics.median(ratios):.2f} × | {min(ratios):.2f} × | {max(ratios):.2f} × |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=5000, help="small ones, of each run")
    parser.add_argument("--large", type=int, default=10, help="large answers, of each run")
    parser.add_argument("--bytes", type=int, default=20_000_000, help="of a large answer")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--streams", type=int, default=8, help="at once on a connection of HTTP/2")
    options = parser.parse_args()
    if shutil.which("h2load") is None:
        raise SystemExit("h2load is needed: apt install nghttp2-client")
    allow_descriptors()
    works = [
        Work("a small POST", PATH, options.requests, options.connections, BODY),
        Work(f"an answer of {options.bytes:,} bytes", f"/bytes/{options.bytes}", options.large, 1),
    ]
    with ExitStack() as running:
        upstream, _ = running.enter_context(fast_upstream())
        proxy, port = running.enter_context(secured_proxy(upstream))
        for number in range(options.rounds + 1):
            for work in works:
                for protocol in (CLEAR, SECURE, SECOND):
                    taken = one_run(proxy, port, protocol, work, min(options.streams, work.connections))
                    # The first round fills caches.
                    if number:
                        work.found.setdefault(protocol, []).append(taken)
        show(works)


if __name__ == "__main__":
    main()
