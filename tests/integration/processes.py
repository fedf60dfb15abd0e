"""Commands as processes of their own, in a directory of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
LLMPROXY = (sys.executable, "-c", "from llmproxy.cli import main; main()")
MANAGEMENT_TOKEN = "integration-management-token"


def environment(**more: str) -> dict[str, str]:
    """What a process gets: nothing of ours but the way to the package and to its plugin."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | more


def run(command: Sequence[str], directory: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command, cwd=directory, env=environment(**more), capture_output=True, text=True, timeout=60, check=False
    )


def start(command: Sequence[str], directory: str, **more: str) -> subprocess.Popen[str]:
    """Start a command; its stdout and stderr go to files of that name."""
    with (
        open(os.path.join(directory, "stdout"), "w") as out,
        open(os.path.join(directory, "stderr"), "w") as err,
        heeding_interrupts(),
    ):
        return subprocess.Popen(command, cwd=directory, env=environment(**more), stdout=out, stderr=err, text=True)


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """
    What is started meanwhile hears SIGINT. A shell has its background jobs ignore it (C{make test &}), and so would all
    that they start (POSIX, Shell Command Language, 2.11).
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def wait_for_text(path: str, text: str, process: subprocess.Popen[str], seconds: float = 30.0) -> str:
    """The content of a file, once C{text} is in it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        content = Path(path).read_text() if os.path.exists(path) else ""
        if text in content:
            return content
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"{text!r} never came; {path}: {content!r}; status {process.poll()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
