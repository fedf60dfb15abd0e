"""A pause of a port that can accept nothing, as this process has no descriptor left."""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.logger import Logger

PAUSE = 0.1
"""Seconds. Without it the reactor would ask again at once, all the time: a connection waits, and stays."""

SAID_EACH = 60.0
"""Seconds between two lines of the log about it."""


class Accepting:
    """
    @param port: listens; see L{twisted.internet.tcp.Port}.
    """

    _log = Logger()

    def __init__(self, clock: Any, port: Any) -> None:
        self._clock = clock
        self._port = port
        self._read = port.doRead
        self._said_at: float | None = None
        port.doRead = self._accept

    def _accept(self) -> Any:
        before = self._port.sessionno
        result = self._read()
        if self._port.sessionno == before and _no_descriptor_left(self._port):
            self._pause()
        return result

    def _pause(self) -> None:
        now = self._clock.seconds()
        if self._said_at is None or now - self._said_at >= SAID_EACH:
            self._said_at = now
            self._log.error("too many open files: new connections wait until some are closed")
        self._port.stopReading()
        self._clock.callLater(PAUSE, self._go_on)

    def _go_on(self) -> None:
        if self._port.connected and not self._port.disconnecting:
            self._port.startReading()


def _no_descriptor_left(port: Any) -> bool:
    try:
        os.close(os.dup(port.fileno()))
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    return False
