"""
TCP connections with less than a reactor needs for each of them.

A reactor calls every descriptor by itself, through its log's context: two of these calls are a tenth of what a small
exchange costs. Here the connections stand in an epoll of their own, which is itself a descriptor of the reactor:
what is ready is handled in one of its calls.

What is written meanwhile leaves when several have written, or when all that was ready has been handled. A peer on
this machine is woken once for many responses instead of once for each, which is most of what sending costs.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableDescriptor, IReactorFDSet, IReadDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import classImplements

from . import twistedinternals
from .handshakes import Handshakes

if TYPE_CHECKING:
    from collections.abc import Callable

AT_ONCE = 128
"""Connections that are handled before the reactor may look after anything else."""

TOGETHER = 32
"""Connections whose bytes wait for each other, at most."""

_EPOLL: Callable[[], Any] | None = getattr(select, "epoll", None)
_IN, _OUT = 1, 4
_GONE = 8 | 16
_KNOWN = {ConnectionDone: Failure(CONNECTION_DONE), ConnectionLost: Failure(CONNECTION_LOST)}


class Poller:
    """
    The reactor of those TCP connections that it has adopted, as far as reading and writing go.

    Where there is no epoll, the reactor is none of descriptors (Windows, macOS, a test's clock), or Twisted is not as
    L{llmproxy.net.twistedinternals} knows it, none is adopted.

    @ivar handshakes: of TLS, on its connections.
    @ivar collecting: several connections are being handled: what is small waits for what others write.
    @param epoll: makes what C{select.epoll} makes.
    """

    _log = Logger()

    def __init__(self, reactor: Any, epoll: Callable[[], Any] | None = _EPOLL) -> None:
        self._reactor = reactor
        self._make = epoll if IReactorFDSet.providedBy(reactor) else None
        self._epoll: Any = None
        self._transports: dict[int, Any] = {}
        self._masks: dict[Any, tuple[int, int]] = {}
        self._leaving: dict[Any, None] = {}
        self.collecting = self._turning = False
        self.handshakes = Handshakes()
        if twistedinternals.MISSING:
            self._log.warn(
                "this version of Twisted is not known ({names}): connections are written to in its slower, public way",
                names=", ".join(twistedinternals.MISSING),
            )

    def __getattr__(self, name: str) -> Any:
        # Connections ask their reactor for the time too.
        return getattr(self._reactor, name)

    def adopt(self, transport: Any) -> None:
        """Read from and write to C{transport}, or what it stands on, from now on; others are left to the reactor."""
        below: Any = transport
        while below is not None and not isinstance(below, tcp.Connection):
            below = getattr(below, "transport", None)
        if below is None or self._make is None or twistedinternals.MISSING or below.reactor is not self._reactor:
            return
        connection: Any = below
        connection.stopReading()
        connection.reactor = self
        connection.startReading()

    # -- IReactorFDSet, for the adopted

    def addReader(self, transport: Any) -> None:
        self._want(transport, _IN)

    def addWriter(self, transport: Any) -> None:
        if self._turning:
            self._leaving[transport] = None
        else:
            self._want(transport, _OUT)

    def removeReader(self, transport: Any) -> None:
        self._want_no(transport, _IN)

    def removeWriter(self, transport: Any) -> None:
        self._leaving.pop(transport, None)
        self._want_no(transport, _OUT)

    def _want(self, transport: Any, event: int) -> None:
        known = self._masks.get(transport)
        if known is None:
            fd = transport.fileno()
            self._begin()
            self._epoll.register(fd, event)
            self._transports[fd] = transport
            self._masks[transport] = fd, event
        elif not known[1] & event:
            fd, mask = known
            self._epoll.modify(fd, mask | event)
            self._masks[transport] = fd, mask | event

    def _want_no(self, transport: Any, event: int) -> None:
        known = self._masks.get(transport)
        if known is None or not known[1] & event:
            return
        fd, mask = known
        if mask != event:
            self._epoll.modify(fd, mask & ~event)
            self._masks[transport] = fd, mask & ~event
            return
        del self._masks[transport], self._transports[fd]
        try:
            self._epoll.unregister(fd)
        except OSError:
            # It was closed below us, which has taken it out.
            pass
        if not self._masks:
            self._reactor.removeReader(self)

    def _begin(self) -> None:
        if self._epoll is None:
            self._epoll = self._make()  # type: ignore[misc]
        if not self._masks:
            self._reactor.addReader(self)

    # -- for the reactor

    def fileno(self) -> int:
        fd: int = self._epoll.fileno()
        return fd

    def logPrefix(self) -> str:
        return "connections"

    def doRead(self) -> None:
        """Handle what is ready, then send what was written."""
        transports = self._transports
        ready = self._epoll.poll(0, AT_ONCE)
        together = len(ready) > 1
        self.collecting, self._turning = together, True
        try:
            for fd, event in ready:
                transport = transports.get(fd)
                if transport is None:
                    continue
                try:
                    why = transport.doRead() if event == _IN else self._handle(transport, fd, event)
                except BaseException as error:
                    self._log.failure("a connection failed")
                    why = error
                if why:
                    self._ended(transport, why, event & _OUT == 0)
                if len(self._leaving) >= TOGETHER:
                    self.flush()
                    self.collecting, self._turning = together, True
        finally:
            self.flush()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends, and with it all connections."""
        for transport in list(self._masks):
            try:
                transport.connectionLost(reason)
            except Exception:
                self._log.failure("a connection failed as it was lost")

    # -- events

    def _handle(self, transport: Any, fd: int, event: int) -> Any:
        """What Twisted's reactors make of all but a plain wish to be read."""
        if event & _GONE and not event & _IN:
            return CONNECTION_DONE if self._masks[transport][1] & _IN else CONNECTION_LOST
        why = transport.doRead() if event & _IN else None
        if not why and event & _OUT and fd in self._transports:
            why = transport.doWrite()
        return why

    def _ended(self, transport: Any, why: Any, reading: bool) -> None:
        self.removeReader(transport)
        reason = _KNOWN.get(why.__class__) or Failure(why)
        try:
            if reading and isinstance(why, ConnectionDone) and IHalfCloseableDescriptor.providedBy(transport):
                transport.readConnectionLost(reason)
            else:
                self.removeWriter(transport)
                transport.connectionLost(reason)
        except Exception:
            self._log.failure("a connection failed as it was lost")

    # -- what was written

    def flush(self) -> None:
        """Send what waits for others; what is written from now on goes its own way."""
        self.collecting = self._turning = False
        leaving = self._leaving
        for transport in list(leaving):
            if transport not in leaving:
                # Another one that failed has ended it.
                continue
            del leaving[transport]
            try:
                why = twistedinternals.write_waiting(transport)
            except BaseException as error:
                self._log.failure("a connection failed")
                why = error
            if why is twistedinternals.WAITING:
                self._want(transport, _OUT)
            elif why:
                self._ended(transport, why, False)


classImplements(Poller, IReadDescriptor)
