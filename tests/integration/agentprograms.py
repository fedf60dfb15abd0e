"""The real programs of coding agents, from npm, with every address outside of this machine closed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .processes import free_port

FOLDER = Path(tempfile.gettempdir()) / "llmproxy-agents"
"""Where C{.ci/run} has npm put them."""

CLAUDE, CODEX = (FOLDER / "node_modules" / ".bin" / name for name in ("claude", "codex"))

INSTALL = f"npm install --prefix {FOLDER} @anthropic-ai/claude-code@2.1.197 @openai/codex@0.171.0"


def why_not() -> str:
    """Why they cannot be run here; C{""} if they can."""
    if not CLAUDE.exists() or not CODEX.exists():
        return f"no coding agents: {INSTALL}"
    return ""


class Island:
    """
    A network namespace with nothing but loopback in it, where this machine lets us make one; else the processes are
    given a proxy that nobody listens at for all that is not on this machine.

    @param alone: whether a namespace is wanted: what runs outside of it is not reached from within.
    """

    def __init__(self, alone: bool = True) -> None:
        self._holder: subprocess.Popen[str] | None = None
        self.prefix: tuple[str, ...] = ()
        unshare, nsenter, ip = (shutil.which(name) for name in ("unshare", "nsenter", "ip"))
        if not alone or not (unshare and nsenter and ip) or os.geteuid() != 0:
            return
        command = (unshare, "--net", "sh", "-c", f"{ip} link set lo up && echo ready && exec cat")
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert holder.stdout is not None
        if holder.stdout.readline() != "ready\n":
            holder.communicate()
            return
        self._holder = holder
        self.prefix = (nsenter, f"--net=/proc/{holder.pid}/ns/net")

    def stop(self) -> None:
        if self._holder is not None:
            # It reads until then.
            self._holder.communicate()

    def run(
        self, command: Sequence[str], directory: str, seconds: float = 120.0, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        closed = f"http://127.0.0.1:{free_port()}"
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": directory,
            "LANG": "C.UTF-8",
            "HTTPS_PROXY": closed,
            "HTTP_PROXY": closed,
            "NO_PROXY": "127.0.0.1,localhost",
            **more,
        }
        return subprocess.run(
            (*self.prefix, *command),
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
