"""
The signals of a process that is the proxy's alone.

An application that embeds the proxy has signals of its own: nothing of this is for it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any, Protocol

from twisted.logger import Logger

SAME = 0.1
"""
Seconds in which a second signal is the first one again: C{timeout(1)} sends it to the process and to its group, a shell
and C{make} may pass a Ctrl-C on.
"""


class Stoppable(Protocol):
    """What serves, in one process or in several."""

    def end_drain(self) -> None:
        """Cut what still runs, if a drain has begun."""

    def reopen_logs(self) -> None:
        """Open the files of the access log anew."""

    def reload(self) -> object:
        """Read the configuration again, and say in the log what came of it."""

    def upgrade(self) -> object:
        """Become the program that is on the disk now, and say in the log what came of it."""


class Undrained:
    """What ends at once, and logs to no file."""

    def end_drain(self) -> None:
        """There is none."""

    def reopen_logs(self) -> None:
        """There are none."""

    def reload(self) -> None:
        """There is nothing to read again."""

    def upgrade(self) -> None:
        """Nobody would miss it."""


def has_terminal() -> bool:
    """Whether this process has a controlling terminal: one that can be closed, which C{SIGHUP} says then."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


class ProcessSignals:
    """
    The first C{SIGTERM} or C{SIGINT} stops the process in order, a second one, L{SAME} later at least, ends the drain.
    C{SIGHUP} is, for a process with a terminal, that this is closed, and stops it as a first one; for one that has none
    from its start it is to read the configuration again. C{SIGUSR1} opens log files anew, as after a rotation,
    C{SIGUSR2} upgrades. What is ignored stays so: by C{nohup}, or in a job in the background.

    @param terminal: whether the process has a terminal; it is asked once the reactor runs, in the background too. What
        has nothing to read again says that it has.
    """

    _log = Logger()

    def __init__(self, reactor: Any, service: Stoppable, terminal: Callable[[], bool] = has_terminal) -> None:
        self._reactor = reactor
        self._service = service
        self._terminal = terminal
        self._has_terminal = True
        self._stopping = False
        self._stopped_at = float("-inf")
        self._before: dict[int, Any] = {}

    def install(self) -> None:
        """Once the reactor runs, whose own handlers are installed then."""
        self._reactor.addSystemEventTrigger("before", "shutdown", self._begun)
        self._reactor.callWhenRunning(self._reactor.callLater, 0, self._take)

    def _take(self) -> None:
        self._has_terminal = self._terminal()
        for number, handler in (
            (signal.SIGINT, self._stop),
            (signal.SIGTERM, self._stop),
            (signal.SIGHUP, self._hang_up),
            (signal.SIGUSR1, self._reopen),
            (signal.SIGUSR2, self._upgrade),
        ):
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, handler)
        # A program that has replaced itself has held them back until now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._before.keys())

    def _begun(self) -> None:
        self._stopping = True

    # -- called in the main thread, between any two instructions: the reactor does the rest in its turn

    def _stop(self, number: int, frame: Any) -> None:
        self._reactor.callFromThread(self._stopped, number)

    def _hang_up(self, number: int, frame: Any) -> None:
        self._reactor.callFromThread(self._hung_up)

    def _upgrade(self, number: int, frame: Any) -> None:
        self._reactor.callFromThread(self._upgraded)

    def _reopen(self, number: int, frame: Any) -> None:
        before = self._before[number]
        if callable(before):
            # twistd turns its own log file.
            before(number, frame)
        self._reactor.callFromThread(self._service.reopen_logs)

    # -- called by the reactor

    def _stopped(self, number: int) -> None:
        name, now = signal.Signals(number).name, self._reactor.seconds()
        if now - self._stopped_at < SAME:
            return
        self._stopped_at = now
        if self._stopping:
            self._log.warn("{signal} again: what still runs is cut", signal=name)
            self._service.end_drain()
            return
        self._stopping = True
        self._log.info("{signal}: stopping; a second one does not wait for what still runs", signal=name)
        before = self._before[number]
        if callable(before):
            # The reactor's own remembers the signal, with which twistd ends in its turn.
            before(number, None)
        else:
            self._reactor.stop()

    def _upgraded(self) -> None:
        if not self._stopping:
            self._service.upgrade()

    def _hung_up(self) -> None:
        if self._stopping:
            return
        if not self._has_terminal:
            self._service.reload()
            return
        self._stopping = True
        self._log.info("SIGHUP: stopping")
        self._reactor.stop()
