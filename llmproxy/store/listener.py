"""A listener for PostgreSQL's notifications: one connection that waits in the reactor, not in a thread."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.python.failure import Failure

from twisted.internet.interfaces import IReadDescriptor


class Listener:
    """
    Keeps one connection that listens. Without it changes are found a little later, so whatever is wrong with it
    is no reason for anything.

    @param connect: called in a thread: a psycopg connection that listens.
    @param run: calls a function in a thread.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        connect: Callable[[], Any],
        run: Callable[[Callable[[], Any]], Deferred[Any]],
        woken: Callable[[], object],
    ) -> None:
        self._reactor = reactor
        self._connect = connect
        self._run = run
        self._woken = woken
        self._listening: _Listening | None = None
        self._connecting = False
        self._stopped = False

    def start(self) -> None:
        """Listen, if it does not yet."""
        if self._connecting or self._stopped or self._listening is not None:
            return
        self._connecting = True
        self._run(self._connect).addCallbacks(self._connected, self._failed)

    def stop(self) -> None:
        self._stopped = True
        if self._listening is not None:
            self._listening.close()

    def _connected(self, connection: Any) -> None:
        self._connecting = False
        self._listening = _Listening(self._reactor, connection, self._woken, self._lost)
        if self._stopped:
            self._listening.close()
        else:
            # What was written between the last look and now was heard by nobody.
            self._woken()

    def _failed(self, reason: Failure) -> None:
        self._connecting = False
        self._log.debug("cannot listen for changes: {reason}", reason=reason.value)

    def _lost(self) -> None:
        self._listening = None


@implementer(IReadDescriptor)
class _Listening:
    def __init__(self, reactor: Any, connection: Any, woken: Callable[[], object], lost: Callable[[], None]) -> None:
        self._reactor = reactor
        self._connection = connection
        # libpq closes its descriptor when it finds the server gone, and then the number is somebody else's.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._woken = woken
        self._lost = lost
        self._open = True
        reactor.addReader(self)

    def fileno(self) -> int:
        return self._socket.fileno()

    def logPrefix(self) -> str:
        return "listening"

    def doRead(self) -> None:
        # libpq only takes what is there: it does not block.
        pq = self._connection.pgconn
        try:
            pq.consume_input()
            heard = 0
            while pq.notifies() is not None:
                heard += 1
        except Exception:
            self.close()
            return
        if heard:
            self._woken()

    def connectionLost(self, reason: Failure) -> None:
        self.close()

    def close(self) -> None:
        if self._open:
            self._open = False
            self._reactor.removeReader(self)
            self._connection.close()
            self._socket.close()
            self._lost()


class NoListener:
    """What databases have that tell nobody."""

    def start(self) -> None: ...

    def stop(self) -> None: ...
