"""A proxy of our own in front of an upstream of this machine: a process of its own, measured from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import field, frozen

from .proc import listening_port
from .processes import LoadFailed, probe
from .values import Target

PATIENCE = 20.0
"""Seconds that a proxy may take to start, on a busy machine."""

PROGRAM = "from llmproxy.cli import main; main()"

LIFELINE = "from llmproxy.bench.lifeline import hold; hold(0, {directory!r}); "
"""Runs before it: this process may be killed, and its proxy is nobody's then."""

CONFIG = """\
default_api: benchmark
apis:
  benchmark:
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
    token: str = field(repr=False)

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
def running_proxy(
    upstream: int,
    workers: int = 1,
    *,
    settings: str = "",
    env: Mapping[str, str] | None = None,
    program: str = PROGRAM,
) -> Iterator[Running]:
    """
    C{llmproxy serve} with its defaults, its access log in a file, in front of a port of this machine.

    @param settings: further lines of YAML for the API.
    @param program: what Python runs in place of C{llmproxy}.
    @param env: variables for it; nothing else of this process's reaches it but what it must be found with.
    @raise LoadFailed: it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="llmproxy-benchmark-") as directory:
        management = os.urandom(16).hex()
        process = _start(directory, CONFIG.format(port=upstream) + settings, workers, management, env or {}, program)
        try:
            port, token = _token(process, management, Path(directory, "stderr"))
            yield Running(process.pid, port, token)
        finally:
            process.terminate()
            process.wait(PATIENCE * 2)
            if process.stdin is not None:
                process.stdin.close()


def _start(
    directory: str, apis: str, workers: int, management: str, env: Mapping[str, str], program: str
) -> subprocess.Popen[bytes]:
    config = Path(directory, "apis.yaml")
    config.write_text(apis)
    encryption = b64encode(os.urandom(32)).decode()
    with open(Path(directory, "stderr"), "wb") as stderr:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", LIFELINE.format(directory=directory) + program, "serve", "--config", str(config),
             "--database", f"{directory}/llmproxy.db", "--listen", "127.0.0.1:0",
             "--access-log", f"{directory}/access.log", "--workers", str(workers), "--drain", "1s"],
            env={
                **_environment(), "AUDIT_LOG_FILE": f"{directory}/audit.log", **env,
                "MANAGEMENT_TOKEN": management, "ENCRYPTION_KEY": encryption,
            },
            stdin=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )  # fmt: skip


def _environment() -> dict[str, str]:
    """What the proxy must be found with; no setting of a proxy that this shell is about."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return {**kept, "PYTHONPATH": str(Path(__file__).parents[2])}


def _token(process: subprocess.Popen[bytes], management: str, stderr: Path) -> tuple[int, str]:
    """Where the proxy listens, and a new project's token, as soon as it is there."""
    until = time.monotonic() + PATIENCE
    while True:
        port = listening_port(process.pid)
        try:
            if port is None:
                raise LoadFailed("it does not listen yet")
            project = _manage(port, management, "projects", name="benchmark", api_key="sk-benchmark")
            break
        except LoadFailed:
            if process.poll() is not None or time.monotonic() > until:
                raise LoadFailed(f"the proxy did not start: {stderr.read_text().strip()}") from None
            time.sleep(0.05)
    token = _manage(port, management, "tokens", project_id=project["id"], duration_minutes=600)["token"]
    return port, str(token)


def _manage(port: int, management: str, what: str, **body: object) -> dict[str, Any]:
    fields = (("Authorization", f"Bearer {management}"),)
    target = Target("management", f"http://127.0.0.1:{port}/manage/{what}", fields)
    status, content = probe(target, target.request(json.dumps(body).encode()), 10.0)
    if status != 201:
        raise LoadFailed(f"the proxy answers {status} to management")
    made: dict[str, Any] = json.loads(content)
    return made
