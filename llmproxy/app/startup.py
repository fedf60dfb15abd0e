"""
Reports of a start to the process that asked for it.

twistd reports what fails while it makes a service, with a traceback; what fails once the reactor
runs it does not report at all: it ends with status 0, and in the background it has said
that all is well before a port was open. Here a start that fails is one line on stderr and status 1,
in the background too, where twistd's own process waits for the news.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure

from ..errors import ConfigError
from .gctuning import give_back

if TYPE_CHECKING:
    from .serverlog import ServerLog

YOUNG_OBJECTS = 50_000
"""
New objects before the garbage collector looks for cycles.

An exchange makes no cycles that outlive it, so that Python's own 700 had the collector walk what lives
long for nothing: that was a tenth of the time, and most of the 99th percentile.
"""


def settle() -> None:
    """
    The start is over: what lives as long as the process is no longer looked through for garbage, and what only the
    start needed is given back.

    For processes that are the proxy's alone; an application that embeds it decides for itself.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
    give_back()


class ExitStatus:
    """
    The status of the process, for those who do not call C{sys.exit} themselves.

    Made early, so that it is the last of the C{atexit} functions to run: it ends the process.
    """

    def __init__(self) -> None:
        self.status = 0
        atexit.register(self._leave)

    def _leave(self) -> None:
        if self.status:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.status)


class Started(MultiService):
    """
    The service of a process: ends the process if it cannot start.

    @param service: its C{started} fires, or fails with a L{ConfigError}.
    @param twistd: the options of twistd itself. In the background they hold, as C{statusPipe}, where
        twistd's first process waits to hear how its successor has started.
    @param log: what the application logs to; C{None} for what twistd finds.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, service: Any, twistd: MutableMapping[str, Any], log: ServerLog | None = None
    ) -> None:
        super().__init__()
        self._server_log = log
        self._reactor = reactor
        self._service = service
        self._twistd = twistd
        self._pipe: int | None = None
        # Both of twistd's ways take stderr away: for its log, and in the background altogether.
        self._terminal = os.dup(2)
        self._exit = ExitStatus()
        service.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        if self._server_log is not None:
            # twistd asks its application before it makes an observer of its own.
            parent.setComponent(ILogObserver, self._server_log)
        super().setServiceParent(parent)

    def startService(self) -> None:
        self._pipe = self._twistd.pop("statusPipe", None)
        super().startService()
        started: Deferred[Any] = self._service.started
        started.addCallbacks(self._succeeded, self._failed)

    def _succeeded(self, result: object) -> None:
        os.close(self._terminal)
        settle()
        self._tell(b"0")

    def _failed(self, reason: Failure) -> None:
        words = explain(reason)
        self._log.critical("cannot start: {words}", words=words)
        with os.fdopen(self._terminal, "w", encoding="utf-8", errors="replace") as terminal:
            terminal.write(words + "\n")
        self._tell(b"1 not started")
        self._exit.status = 1
        self._reactor.callWhenRunning(self._reactor.stop)

    def _tell(self, news: bytes) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            os.write(pipe, news)
            os.close(pipe)


def explain(reason: Failure) -> str:
    """What an operator can do something about in a line; a fault of our own with its traceback."""
    return str(reason.value) if reason.check(ConfigError) else reason.getTraceback()
