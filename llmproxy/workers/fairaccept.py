"""
Fair accepts: the worker that takes a connection which waits for all of them.

All are woken by it. Twisted accepts whatever waits, so that a burst of clients ended up with the first worker, on one
core of the machine. Here a worker takes a few connections in each turn of its reactor, and one that has clearly more
than another leaves them to the others for a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

AT_ONCE = 4
"""Connections that are taken in one turn. A turn of a busy reactor takes milliseconds: one would be too few."""

LEFT = 0.003
"""Seconds for which a connection is left to the others: a busy reactor comes around in that time."""

TAKEN = 0.01
"""Seconds after that in which nothing is left to the others again: they may be stuck."""


class FairAccept:
    """
    Has a port take connections in turns.

    @param port: listens; see L{twisted.internet.tcp.Port}.
    @param is_ahead: whether this worker has clearly more connections than another one.
    """

    def __init__(self, clock: Any, port: Any, is_ahead: Callable[[], bool]) -> None:
        self._clock = clock
        self._port = port
        self._is_ahead = is_ahead
        self._accept = port.doRead
        self._asks_from = 0.0
        port.doRead = self._take

    def _take(self) -> Any:
        if self._clock.seconds() >= self._asks_from and self._is_ahead():
            self._port.stopReading()
            self._clock.callLater(LEFT, self._return)
            return None
        # Twisted raises it after each turn in which there were so many (26.10).
        self._port.numberAccepts = AT_ONCE
        return self._accept()

    def _return(self) -> None:
        self._asks_from = self._clock.seconds() + TAKEN
        if self._port.connected and not self._port.disconnecting:
            self._port.startReading()
