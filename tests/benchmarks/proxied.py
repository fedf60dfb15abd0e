"""A proxy in a process of its own, for measuring it from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from attrs import frozen

MANAGEMENT = "benchmark-management-token"

CONFIG = """\
default_api: bench
apis:
  bench:
    base_url: http://127.0.0.1:{port}
    allowed_endpoints: [/v1, /bytes, /sink]
    allowed_methods: [GET, POST]
"""


@frozen
class Running:
    """
    @ivar token: a token without limit.
    """

    pid: int
    port: int
    token: str

    def resident(self) -> int:
        """Bytes of memory that are in use now."""
        return self._status("VmRSS")

    def peak(self) -> int:
        """Bytes at most since L{forget_peak}."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _status(self, name: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
        raise LookupError(name)


@contextmanager
def running_proxy(upstream: int) -> Iterator[Running]:
    """C{llmproxy serve} with its defaults, access log to a file, in front of a port of this machine."""
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory, "apis.yaml")
        config.write_text(CONFIG.format(port=upstream))
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-c", "from llmproxy.cli import main; main()", "serve", "--config", str(config),
             "--database", f"{directory}/p.db", "--listen", f"127.0.0.1:{port}", "--access-log", f"{directory}/a.log"],
            env={**os.environ, "MANAGEMENT_TOKEN": MANAGEMENT},
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield Running(process.pid, port, token_of(port))
        finally:
            process.terminate()
            process.wait(30)


def token_of(port: int) -> str:
    """A new project's token, as soon as the proxy is there."""
    until = time.monotonic() + 20
    while True:
        try:
            project = manage(port, "projects", name=f"bench-{time.monotonic_ns()}", api_key="sk-benchmark")
            break
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
    return str(manage(port, "tokens", project_id=project["id"], duration_minutes=600)["token"])


def manage(port: int, what: str, **body: object) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {MANAGEMENT}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/manage/{what}", msgspec.json.encode(body), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return msgspec.json.decode(answer.read(), type=dict[str, object])


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port
