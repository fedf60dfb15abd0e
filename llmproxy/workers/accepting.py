"""A pause of a port that can accept nothing, as this process has no descriptor left."""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.logger import LogEvent, Logger, globalLogPublisher

from ..net.twistedinternals import hear_port

PAUSE = 0.1
"""Seconds. Without it the reactor would ask again at once, all the time: a connection waits, and stays."""

SAID_EACH = 60.0
"""Seconds between two lines of the log about it."""


class Accepting:
    """
    @param port: listens; see L{twisted.internet.tcp.Port}. What it logs of each client that there was no descriptor
        for is one line here.
    @param most: connections that are accepted in one turn: one that is reset has its descriptor until the next.
    """

    _log = Logger()

    def __init__(self, clock: Any, port: Any, most: int | None = None) -> None:
        self._clock = clock
        self._port = port
        self._read = port.doRead
        self._said_at: float | None = None
        self._most = most
        self._exhausted = False
        port.doRead = self._accept
        hear_port(port, self._heard)

    def _accept(self) -> Any:
        port = self._port
        before, self._exhausted = port.sessionno, False
        if self._most is not None:
            port.numberAccepts = min(port.numberAccepts, self._most)
        result = self._read()
        if self._exhausted or (port.sessionno == before and _no_descriptor_left(port)):
            self._pause()
        return result

    def _heard(self, event: LogEvent) -> None:
        """What the port says of clients that it could not accept."""
        error = event.get("acceptError")
        if error is None or error in ("EMFILE", "ENFILE"):
            self._exhausted = True
        else:
            globalLogPublisher(event)

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
