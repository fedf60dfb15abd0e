"""
Calls to a server that has stopped answering.

A server that is paused, or a network that swallows packets, closes nothing: the thread that waits
would wait for ever. PyMySQL limits each read; psycopg does not, so its sockets are closed from outside.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, get_ident, local
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@define(eq=False)
class _Call:
    since: float
    socket: socket.socket | None = None


class SocketWatchdog:
    """
    @param limit: seconds that a transaction may take, waiting for its connection included.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._lock = Lock()
        self._running: dict[int, _Call] = {}
        self._next: Any = None
        self._here = local()

    def until(self, moment: float, call: Callable[[], T]) -> T:
        """
        Call C{call}, which is to be over at C{moment}.

        @param moment: of L{monotonic}.
        """
        self._here.until = moment
        try:
            return call()
        finally:
            self._here.until = None

    @property
    def left(self) -> float | None:
        """Seconds that this thread may still wait; C{None} if nothing is said of that."""
        until: float | None = getattr(self._here, "until", None)
        return None if until is None else max(0.0, until - monotonic())

    def start(self, clock: Any) -> None:
        """Look for them each second from now on."""
        self.cut()
        self._next = clock.callLater(1.0, self.start, clock)

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """What this thread does meanwhile may not take longer than the limit."""
        thread = get_ident()
        call = self._running[thread] = _Call(monotonic())
        try:
            yield
        finally:
            del self._running[thread]
            self._release(call)

    def took(self, connection: Any) -> None:
        """This thread has taken a connection out of the pool, and is about to ask the server something."""
        call = self._running.get(get_ident())
        if call is not None:
            self._release(call)
            # A descriptor of our own: the driver closes its one when it likes, and then the number is somebody else's.
            call.socket = socket.socket(fileno=os.dup(connection.fileno()))

    def cut(self) -> int:
        """Close the sockets of those that take too long; how many. Called in the reactor's thread."""
        found = 0
        for call in list(self._running.values()):
            if monotonic() - call.since > self._limit:
                found += self._close(call)
        return found

    def _close(self, call: _Call) -> int:
        with self._lock:
            if call.socket is None:
                return 0
            try:
                call.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return 0
            return 1

    def _release(self, call: _Call) -> None:
        with self._lock:
            taken, call.socket = call.socket, None
        if taken is not None:
            taken.close()
