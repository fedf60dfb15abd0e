"""Workers that the program before has started: they run on while ours take over, and end when all of those serve."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.stdio import StandardIO
from twisted.python.failure import Failure

from .child import Parent, Worker
from .ipc import Control

if TYPE_CHECKING:
    from .handover import FormerWorker

REAPED_EVERY = 0.1
"""Seconds between two looks whether a process is gone whose pipe has closed."""


class _Pipe:
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd


class FormerProcess:
    """
    A process that is our child, though the program before has started it: what a L{Worker} has for its transport.

    @param worker: hears what it says, and that it has ended.
    """

    def __init__(self, reactor: Any, former: FormerWorker, worker: Worker) -> None:
        self.pid: int | None = former.pid
        self.pipes = {0: _Pipe(former.to_fd), 3: _Pipe(former.from_fd)}
        self._reactor = reactor
        self._worker = worker
        control: Any = Control(worker.heard, self._gone)
        standard_io: Any = StandardIO
        self._io: Any = standard_io(control, stdin=former.from_fd, stdout=former.to_fd, reactor=reactor)

    def writeToChild(self, childFD: int, data: bytes) -> None:
        """Only its standard input is written to."""
        self._io.write(data)

    def signalProcess(self, name: str) -> None:
        if self.pid is not None:
            os.kill(self.pid, getattr(signal, f"SIG{name}"))

    def _gone(self) -> None:
        """Its pipe has closed: it ends, or has."""
        pid = self.pid
        if pid is None:
            return
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            # Somebody else has waited for it.
            found, status = pid, 0
        if not found:
            self._reactor.callLater(REAPED_EVERY, self._gone)
            return
        self.pid = None
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        reason: Exception = (
            ProcessDone(0) if status == 0 else ProcessTerminated(os.waitstatus_to_exitcode(status), killed, status)
        )
        self._worker.processEnded(Failure(reason))


def adopt(reactor: Any, parent: Parent, former: FormerWorker) -> Worker:
    """A worker of the program before, as one that serves."""
    worker = Worker(parent, former.number, {})
    process: Any = FormerProcess(reactor, former, worker)
    worker.transport = process
    worker.started.callback(None)
    return worker
