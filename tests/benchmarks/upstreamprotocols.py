"""
What HTTP/2 to upstream costs a proxy: C{python -m tests.benchmarks.upstreamprotocols}.

One proxy is asked over HTTP/1.1 in clear, by C{h2load} of nghttp2 (Debian: C{nghttp2-client}), for two APIs at one
nginx, which it asks over HTTP/1.1 and over HTTP/2, both over TLS. What is counted is processor time of the proxy alone,
and each round gives one ratio.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from llmproxy.bench.proc import allow_descriptors, cpu_seconds
from llmproxy.bench.proxied import Running

from ..integration.certificates import Authority
from .proxied import free_port, running_proxy
from .requests import BODY, PATH

FIRST, SECOND = "first", "second"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

_CONF = """
daemon off; pid nginx.pid; error_log stderr; worker_processes 1;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {cert}; ssl_certificate_key {key};
    keepalive_requests 100000000;
    location /bytes {{ root {root}; }}
    location / {{ default_type application/json; return 200 '{{"choices": [{{"message": {{"content": "Hello"}}}}]}}'; }}
  }}
}}
"""

_APIS = """\
  first:
    base_url: https://localhost:{port}
    allowed_endpoints: [/v1, /bytes]
    allowed_methods: [GET, POST]
    auth: none
    cache: false
    connection: {{verify: false, http2: false}}
  second:
    base_url: https://localhost:{port}
    allowed_endpoints: [/v1, /bytes]
    allowed_methods: [GET, POST]
    auth: none
    cache: false
    connection: {{verify: false, http2: true}}
ledger: off
"""


@contextmanager
def nginx(size: int) -> Iterator[int]:
    """Its port."""
    with tempfile.TemporaryDirectory() as directory:
        cert, key = Authority(directory).issue("localhost")
        port = free_port()
        # The workers of an nginx of root's are somebody else.
        os.chmod(directory, 0o755)
        Path(directory, "bytes").write_bytes(b"x" * size)
        Path(directory, "nginx.conf").write_text(_CONF.format(port=port, cert=cert, key=key, root=directory))
        command = [NGINX or "nginx", "-p", directory, "-c", "nginx.conf", "-e", "stderr"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=directory)
        try:
            time.sleep(0.5)
            yield port
        finally:
            process.terminate()
            process.wait(10)


def one_run(proxy: Running, api: str, path: str, requests: int, clients: int, body: bytes | None) -> float:
    """Microseconds of processor time for each answer."""
    with tempfile.NamedTemporaryFile() as content:
        arguments = ["h2load", "--h1", f"--requests={requests}", f"--clients={clients}"]
        arguments += [f"--header=Authorization: Bearer {proxy.token}"]
        if body is not None:
            content.write(body)
            content.flush()
            arguments += [f"--data={content.name}", "--header=Content-Type: application/json"]
        before = cpu_seconds([proxy.pid])
        url = f"http://127.0.0.1:{proxy.port}/{api}{path}"
        done = subprocess.run([*arguments, url], capture_output=True, text=True, check=True)
        spent = cpu_seconds([proxy.pid]) - before
    if f" {requests} 2xx" not in done.stdout:
        raise SystemExit(f"{api}: not every request was answered:\n{done.stdout}{done.stderr}")
    return spent / requests * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=3000, help="small ones, of each run")
    parser.add_argument("--large", type=int, default=10, help="large answers, of each run")
    parser.add_argument("--bytes", type=int, default=20_000_000, help="of a large answer")
    parser.add_argument("--clients", type=int, default=32)
    options = parser.parse_args()
    if shutil.which("h2load") is None or NGINX is None:
        raise SystemExit("h2load and nginx are needed: apt install nghttp2-client nginx")
    allow_descriptors()
    works = {
        "a small POST": (PATH, options.requests, options.clients, BODY),
        f"an answer of {options.bytes:,} bytes": ("/bytes", options.large, 1, None),
    }
    found: dict[tuple[str, str], list[float]] = {}
    with ExitStack() as running:
        port = running.enter_context(nginx(options.bytes))
        proxy = running.enter_context(running_proxy(port, settings=_APIS.format(port=port)))
        for number in range(options.rounds + 1):
            for name, (path, requests, clients, body) in works.items():
                for api in (FIRST, SECOND):
                    taken = one_run(proxy, api, path, requests, clients, body)
                    # The first round fills caches.
                    if number:
                        found.setdefault((name, api), []).append(taken)
    print("| | HTTP/1.1 over TLS to upstream, µs | HTTP/2, µs | ratio: median | lowest | highest |")
    print("|---|---|---|---|---|---|")
    for name in works:
        one, two = found[name, FIRST], found[name, SECOND]
        ratios = [second / first for first, second in zip(one, two, strict=True)]
        print(
            f"| {name} | {statistics.median(one):,.0f} | {statistics.median(two):,.0f} | "
            f"{statistics.median(ratios):.2f} × | {min(ratios):.2f} × | {max(ratios):.2f} × |"
        )


if __name__ == "__main__":
    main()
