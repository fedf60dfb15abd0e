"""A server in the background: started as a session of its own, and waited for until it serves."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ..workers.program import program_of
from .faults import Fault

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

VARIABLE = "LLMPROXY_DAEMON_STARTED"
"""Holds the descriptor that the server says on that it serves."""

PATIENCE = 60.0
"""Seconds until one that says nothing and lives is taken for one that has much to do: a large database to migrate."""

_SAID = 16 * 1024


class Daemon:
    """
    @param arguments: those of C{server}, without that which asks for the background; there is no secret among them.
    @param log_file: where it logs to, what it says before it can log too.
    @param level: of the log; C{""} if none was said.
    """

    def __init__(self, arguments: Sequence[str], log_file: str, pid_file: str, level: str) -> None:
        if not log_file:
            raise Fault("--log-file must be specified when running in daemon mode (-d); LOG_FILE does too")
        self._arguments = arguments
        self._log_file = log_file
        self._pid_file = pid_file
        self._level = level

    def start(self) -> int:
        """The status to end with: 1 where it has not begun to serve."""
        click.echo("Starting LLM Proxy server in daemon mode...")
        click.echo(f"[daemon] Log level: {self._level or 'info (default)'}")
        there, here = os.pipe()
        try:
            with self._log() as log:
                began = log.tell()
                process = self._begun(log, here)
        finally:
            os.close(here)
        serves = self._wait(there, process)
        os.close(there)
        if not serves and process.poll() is not None:
            click.echo(f"Error starting daemon: {self._said(began)}", err=True)
            return 1
        self._note(process.pid)
        click.echo(f"Server started in daemon mode with PID {process.pid}")
        click.echo(f"PID file: {self._pid_file}")
        click.echo(f"Use 'kill $(cat {self._pid_file})' to stop the server")
        if not serves:
            click.echo(f"It does not serve yet; {self._log_file} says why", err=True)
        return 0

    def _log(self) -> Any:
        try:
            os.makedirs(os.path.dirname(self._log_file) or ".", exist_ok=True)
            fd = os.open(self._log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Fault(f"{self._log_file}: cannot be written: {error.strerror}") from None
        file = os.fdopen(fd, "ab")
        file.seek(0, os.SEEK_END)
        return file

    def _begun(self, log: Any, started: int) -> subprocess.Popen[bytes]:
        program = program_of()
        prefix = program.command[: len(program.command) - len(sys.argv[1:])]
        # What is a variable's would ask for the background again.
        env = os.environ | {"DAEMON": "", VARIABLE: str(started)}
        return subprocess.Popen(  # noqa: S603
            [*prefix, "server", *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=env,
            pass_fds=(started,),
            start_new_session=True,
        )

    def _wait(self, fd: int, process: subprocess.Popen[bytes]) -> bool:
        ends = time.monotonic() + PATIENCE
        while (left := ends - time.monotonic()) > 0:
            readable, _, _ = select.select([fd], [], [], min(left, 1.0))
            if readable:
                # An end without a word: it has ended, and will be reaped at once.
                said = os.read(fd, 1)
                if not said:
                    process.wait()
                return bool(said)
        return False

    def _said(self, began: int) -> str:
        with open(self._log_file, "rb") as file:
            file.seek(began)
            words = file.read(_SAID).decode("utf-8", "replace").strip()
        return words or f"it ended; {self._log_file} may say why"

    def _note(self, pid: int) -> None:
        try:
            os.makedirs(os.path.dirname(self._pid_file) or ".", exist_ok=True)
            with open(self._pid_file, "w", encoding="ascii") as file:
                file.write(str(pid))
        except OSError as error:
            click.echo(f"Error writing PID file: {self._pid_file}: {error.strerror}", err=True)


def report_to_parent(started: Deferred[Any]) -> None:
    """Tell the process that waits for this one, if there is one, when it serves."""
    text = os.environ.pop(VARIABLE, "")
    if not text:
        return
    fd = int(text)
    os.set_inheritable(fd, False)

    def say(result: Any) -> Any:
        os.write(fd, b"+")
        os.close(fd)
        return result

    started.addCallback(say)
