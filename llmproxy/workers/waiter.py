"""
The process that waits for a proxy: C{python -m llmproxy.workers.waiter}, which a proxy without workers becomes once its
successor serves and it has drained.

It keeps the process id that everybody knows, and the sockets; it passes signals on, starts the next successor at
C{SIGUSR2}, and ends as the proxy does. Next to nothing is imported: it takes little more than a bare interpreter.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

STATE = "LLMPROXY_WAITER"
"""The variable that holds what a waiter begins with, as JSON."""

READY_WITHIN = 120.0
"""Seconds that a successor gets until it serves."""

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
HEARD = frozenset({*PASSED_ON, signal.SIGUSR2, signal.SIGCHLD})


class Waiter:
    """
    @param child: the id of the process that serves.
    @param command: starts its successor.
    @param handover: makes the variables of a successor, given the descriptor where it says that it serves.
    @param kept: descriptors that a successor inherits.
    @param pidfile: removed at the end, if it names us; C{""} for none.
    @param say: writes a line for the operator.
    """

    def __init__(
        self,
        child: int,
        command: Sequence[str],
        handover: Callable[[int], Mapping[str, str]],
        kept: Sequence[int],
        pidfile: str,
        say: Callable[[str], object],
    ) -> None:
        self._child = child
        self._command = tuple(command)
        self._handover = handover
        self._kept = tuple(kept)
        self._pidfile = pidfile
        self._say = say
        self._retired: set[int] = set()

    def run(self) -> int:
        """Wait until the process that serves has ended; the status to end with."""
        while True:
            heard = signal.sigtimedwait(HEARD, 1.0)
            number = None if heard is None else heard.si_signo
            if number in PASSED_ON:
                for pid in (self._child, *self._retired):
                    _kill(pid, number)
            elif number == signal.SIGUSR2:
                self._upgrade()
            status = self._reap()
            if status is not None:
                return status

    def _reap(self) -> int | None:
        """The status of the process that serves, once it has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 1
            if pid == 0:
                return None
            self._retired.discard(pid)
            if pid == self._child:
                return os.waitstatus_to_exitcode(status)

    def _upgrade(self) -> None:
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        try:
            started = subprocess.Popen(  # noqa: S603
                self._command,
                env={**os.environ, **self._handover(writer)},
                pass_fds=(*self._kept, writer),
                preexec_fn=_let_in,
            )
        except OSError as error:
            self._say(f"upgrade: everything stays as it was: {error}")
            os.close(reader)
            return
        finally:
            os.close(writer)
        serves = _says_ready(reader, READY_WITHIN)
        os.close(reader)
        # It is waited for by its id.
        started.returncode = 0
        if not serves:
            self._say("upgrade: everything stays as it was: the new process could not serve, its log says why")
            _kill(started.pid, signal.SIGKILL)
            return
        former, self._child = self._child, started.pid
        self._retired.add(former)
        _kill(former, signal.SIGUSR2)
        self._say(f"upgrade: process {started.pid} serves, {former} drains")

    def end(self) -> None:
        """Leave nothing behind."""
        for fd in self._kept:
            with suppress(OSError), socket.socket(fileno=os.dup(fd)) as found:
                if found.family == socket.AF_UNIX:
                    os.unlink(found.getsockname())
            # Who sees that there is no pidfile finds nobody listening either.
            with suppress(OSError):
                os.close(fd)
        if self._pidfile:
            with suppress(OSError):
                with open(self._pidfile) as file:
                    ours = file.read().strip() == str(os.getpid())
                if ours:
                    os.unlink(self._pidfile)


def _says_ready(fd: int, seconds: float) -> bool:
    """Whether the other end says anything in that time before it closes."""
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        readable, _, _ = select.select([fd], [], [], min(left, 1.0))
        if readable:
            return bool(os.read(fd, 16))
    return False


def _let_in() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)


def _kill(pid: int, number: Any) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def main() -> None:
    """Begin with what the variable says."""
    from .handover import VARIABLE, Handover, taken

    state = json.loads(os.environ.pop(STATE))
    left = taken(os.environ) or Handover()
    sockets = [each.fd for each in left.sockets]
    for fd in sockets:
        os.set_inheritable(fd, True)

    def handover(ready: int) -> dict[str, str]:
        return {VARIABLE: Handover(left.sockets, ready=ready).packed()}

    def say(words: str) -> None:
        sys.stderr.write(f"{words}\n")
        sys.stderr.flush()

    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    waiter = Waiter(state["child"], state["command"], handover, sockets, state["pidfile"], say)
    status = waiter.run()
    waiter.end()
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
