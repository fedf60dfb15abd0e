"""The bytes that were written to a client and have not reached its system yet."""

from __future__ import annotations

from fcntl import ioctl
from sys import byteorder
from termios import TIOCOUTQ
from typing import TYPE_CHECKING, Any

from ...net.twistedinternals import unwritten

if TYPE_CHECKING:
    from ...net.timers import Deadline, TimerWheel


def unsent(transport: Any) -> int:
    """
    Bytes that were written and that the peer's system does not have yet, where that can be known.

    Twisted reports when all is sent; whether there is less than before parts a slow peer from a dead one.
    """
    size = unwritten(transport)
    try:
        return size + int.from_bytes(ioctl(transport.getHandle(), TIOCOUTQ, bytes(4)), byteorder)
    except (AttributeError, OSError, TypeError, ValueError):
        # Closed, or of a kind without such a count: in memory, or TLS over something else.
        return size


class Outflow:
    """What was written to a peer, as seen from time to time: whether the peer still takes something of it."""

    __slots__ = ("_transport", "_unsent")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._unsent = 0

    def note(self) -> None:
        """Remember how much there is."""
        self._unsent = unsent(self._transport)

    def is_moving(self) -> bool:
        """Whether something has left since the last time, and something is there still."""
        before = self._unsent
        self.note()
        return 0 < self._unsent != before


class SendDeadline:
    """
    The end of a connection whose peer takes nothing of what waits for it.

    @param seconds: in which it has to take something, L{llmproxy.core.clientlimits.Limits.send_silence}.
    """

    __slots__ = ("_deadline", "_outflow", "_seconds", "_transport", "_wheel")

    def __init__(self, wheel: TimerWheel, seconds: float, transport: Any) -> None:
        self._wheel = wheel
        self._seconds = seconds
        self._transport = transport
        self._outflow = Outflow(transport)
        self._deadline: Deadline | None = None

    def start(self) -> None:
        """From now on the peer has to take something, and nothing more is written."""
        if self._deadline is None:
            self._outflow.note()
            self._deadline = self._wheel.start(self._seconds, self._passed)

    def stop(self) -> None:
        """All is taken, or the connection is gone; harmless if nothing was started."""
        if self._deadline is not None:
            self._deadline.end()
            self._deadline = None

    def _passed(self) -> None:
        self._deadline = None
        if self._outflow.is_moving():
            self._deadline = self._wheel.start(self._seconds, self._passed)
        else:
            self._transport.abortConnection()
