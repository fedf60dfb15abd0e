"""
Clients' errors and latency while one of two upstreams fails: this proxy beside nginx, and HAProxy where there is one.

C{python -m tests.benchmarks.failover}. Each proxy has the same two upstreams, retries once, and waits a second for an
answer. Eight clients send GET requests one after the other; one upstream is well, then fails, then is well again.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import Request, urlopen

from attrs import define, field

KINDS = ("hangs", "resets", "500", "429", "drips")
CLIENTS, PAUSE = 8, 0.01
PHASES = (("before", 1.5), ("during", 3.0), ("after", 1.5))
PATIENCE = 5.0
MANAGEMENT_TOKEN = "benchmark-management-token-0123456789"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"

APIS = """
default_api: openai
apis:
  openai:
    allowed_endpoints: [/v1]
    allowed_methods: [GET]
    cache: false
    timeouts: {{response_header: 1s}}
    own_key_for: all
    upstreams:
      - {{name: failing, base_url: 'http://127.0.0.1:{0}', key: '${{KEY}}'}}
      - {{name: well, base_url: 'http://127.0.0.1:{1}', key: '${{KEY}}'}}
    retry: {{attempts: 2, budget: 1}}
"""

NGINX = """
daemon off; pid {2}/nginx.pid; error_log {2}/nginx.err; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  upstream both {{ server 127.0.0.1:{0}; server 127.0.0.1:{1}; keepalive 16; }}
  server {{
    listen 127.0.0.1:{3};
    location / {{
      proxy_pass http://both; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout 1s;
      proxy_next_upstream error timeout http_500 http_502 http_503 http_504 http_429; proxy_next_upstream_tries 2;
    }}
  }}
}}
"""

HAPROXY = """
defaults
  mode http
  timeout connect 1s
  timeout client 10s
  timeout server 1s
  retries 1
  option redispatch 1
  retry-on conn-failure empty-response response-timeout 500 502 503 504
frontend front
  bind 127.0.0.1:{3}
  default_backend both
backend both
  default-server observe layer7 error-limit 5 on-error mark-down check inter 1s
  server failing 127.0.0.1:{0}
  server well 127.0.0.1:{1}
"""


@define
class Upstream:
    """@ivar kind: how it answers; C{well} is as it should."""

    kind: str = "well"
    port: int = 0

    async def open(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await self._answer(writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        kind = self.kind
        if kind == "hangs":
            await asyncio.sleep(3600)
        elif kind == "resets":
            writer.transport.abort()
            raise ConnectionError
        elif kind.isdigit():
            writer.write(b"HTTP/1.1 %b No\r\nContent-Length: 3\r\n\r\nbad" % kind.encode())
        elif kind == "drips":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
            for _ in range(20):
                writer.write(b".")
                await asyncio.sleep(0.02)
        else:
            writer.write(OK)
        await writer.drain()


@define
class Phase:
    """What clients saw; times are seconds."""

    times: list[float] = field(factory=list)
    errors: int = 0

    def row(self) -> str:
        times = sorted(self.times)
        middle, late = (times[min(len(times) - 1, int(len(times) * part))] * 1000 for part in (0.5, 0.99))
        return f"{self.errors / len(times):.1%}, {middle:.0f} / {late:.0f} ms"


async def ask(port: int, head: bytes) -> bool:
    """Whether a whole good answer came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        return answer.startswith(b"HTTP/1.1 200")
    finally:
        writer.close()


async def client(port: int, head: bytes, phase: Phase, until: float) -> None:
    while time.perf_counter() < until:
        begun = time.perf_counter()
        try:
            good = await asyncio.wait_for(ask(port, head), PATIENCE)
        except (OSError, EOFError, StopIteration, asyncio.TimeoutError):
            good = False
        phase.times.append(time.perf_counter() - begun)
        phase.errors += not good
        await asyncio.sleep(PAUSE)


async def measured(port: int, head: bytes, failing: Upstream, kind: str) -> list[str]:
    rows = []
    for name, seconds in PHASES:
        failing.kind = kind if name == "during" else "well"
        phase, until = Phase(), time.perf_counter() + seconds
        await asyncio.gather(*(client(port, head, phase, until) for _ in range(CLIENTS)))
        rows.append(phase.row())
    return rows


async def answers(port: int) -> None:
    for _ in range(200):
        try:
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            return
        except OSError:
            await asyncio.sleep(0.1)
    raise RuntimeError(f"nothing listens at port {port}")


def manage(port: int, path: str, body: dict[str, object]) -> dict[str, str]:
    fields = {"Authorization": f"Bearer {MANAGEMENT_TOKEN}", "Content-Type": "application/json"}
    with urlopen(Request(f"http://127.0.0.1:{port}/manage{path}", json.dumps(body).encode(), fields)) as answer:
        found: dict[str, str] = json.load(answer)
        return found


async def llmproxy(folder: Path, ports: tuple[int, int], port: int) -> tuple[subprocess.Popen[bytes], bytes]:
    (folder / "apis.yaml").write_text(APIS.format(*ports))
    arguments = ["--config", "apis.yaml", "--listen", f"tcp:{port}:interface=127.0.0.1", "--database", ":memory:"]
    env = {**os.environ, "KEY": "key-of-a-benchmark", "MANAGEMENT_TOKEN": MANAGEMENT_TOKEN, "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-m", "llmproxy", "serve", *arguments]
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    await answers(port)

    def token() -> str:
        project = manage(port, "/projects", {"name": "benchmark", "api_keys": {}})["id"]
        return manage(port, "/tokens", {"project_id": project, "duration_minutes": 60})["token"]

    secret = await asyncio.to_thread(token)
    return process, b"Authorization: Bearer %b\r\n" % secret.encode()


async def other(
    command: list[str], text: str, folder: Path, ports: tuple[int, int], port: int
) -> tuple[subprocess.Popen[bytes], bytes]:
    (folder / "other.conf").write_text(text.format(*ports, folder, port))
    process = subprocess.Popen(
        [*command, str(folder / "other.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    await answers(port)
    return process, b""


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def main() -> None:
    proxies = ["llmproxy", *(name for name in ("nginx", "haproxy") if shutil.which(name))]
    print("| upstream | proxy | before | during | after |\n|---|---|---|---|---|")
    for kind in KINDS:
        for name in proxies:
            failing, well = Upstream(), Upstream()
            await failing.open()
            await well.open()
            ports, port = (failing.port, well.port), free_port()
            with tempfile.TemporaryDirectory() as text:
                folder = Path(text)
                if name == "llmproxy":
                    process, more = await llmproxy(folder, ports, port)
                elif name == "nginx":
                    process, more = await other(["nginx", "-c"], NGINX, folder, ports, port)
                else:
                    process, more = await other(["haproxy", "-f"], HAPROXY, folder, ports, port)
                try:
                    head = b"GET /v1/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%b\r\n" % more
                    rows = await measured(port, head, failing, kind)
                finally:
                    process.send_signal(signal.SIGTERM)
                    process.wait()
            print(f"| {kind} | {name} | {' | '.join(rows)} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
