"""Writes to a connection to upstream, which may be found to be dead; and the check whether one is."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.tcp import Connection

from ..net import twistedinternals

if TYPE_CHECKING:
    from ..net.poller import Poller

Send = Callable[[bytes], "bool | None"]
"""Writes bytes; C{False} if the connection is known to be dead and took none of them."""


def sender(transport: Any, poller: Poller) -> Send:
    """The quickest way to write to C{transport}; while C{poller} collects, what is small leaves with the others'."""
    return twistedinternals.sender(transport, poller, _gone)


def _gone(data: bytes) -> bool:
    return False


def unwritten(transport: Any) -> int:
    """
    Bytes that were handed to C{transport} and not to the system; 0 as far as nobody can tell.

    Of TLS nobody can: below it are records, which are longer than what they hold.
    """
    return twistedinternals.unwritten(transport) if isinstance(transport, Connection) else 0


def readable(transport: Any) -> bool:
    """
    Whether a connection that should be silent has something to read, which is its end or nothing good.

    The reactor would tell at its next turn; this asks the kernel now. C{False} where that is not possible.
    """
    while transport is not None and not isinstance(transport, Connection):
        transport = getattr(transport, "transport", None)
    if transport is None:
        return False
    try:
        transport.socket.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
