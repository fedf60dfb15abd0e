"""The bytes that were written to a client and have not reached its system yet."""

from __future__ import annotations

from fcntl import ioctl
from sys import byteorder
from termios import TIOCOUTQ
from typing import Any

from ...net.twistedinternals import unwritten


def unsent(transport: Any) -> int:
    """
    Bytes that were written and that the peer's system does not have yet, where that can be known.

    Twisted reports when all is sent; a slow peer is told from a dead one by whether there is less than before.
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
