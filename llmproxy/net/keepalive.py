"""TCP keep-alive: how soon a connection that says nothing is asked whether its peer is still there."""

from __future__ import annotations

import socket
from typing import Any

IDLE = 60
"""
Seconds of silence before the first probe. NATs and load balancers forget a silent connection after 120 to 350 seconds
(Azure 240, AWS 350); the kernel by itself waits for two hours. A model that thinks is silent for minutes.
"""

INTERVAL = 15
"""Seconds between probes."""

PROBES = 4
"""Probes without an answer, after which the connection is lost: two minutes after its peer has vanished."""

_OPTIONS = (
    # Linux and the BSDs; on macOS the first one has another name.
    ("TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE", IDLE),
    ("TCP_KEEPINTVL", INTERVAL),
    ("TCP_KEEPCNT", PROBES),
)
_SETTINGS = tuple((getattr(socket, name), value) for name, value in _OPTIONS if hasattr(socket, name))


def keep_alive(transport: Any) -> None:
    """Have the system ask; where it does not know these options, in its own time."""
    transport.setTcpKeepAlive(True)
    # TLS wraps the transport that has the socket.
    while not isinstance(found := getattr(transport, "socket", None), socket.socket):
        transport = getattr(transport, "transport", None)
        if transport is None:
            return
    for option, value in _SETTINGS:
        try:
            found.setsockopt(socket.IPPROTO_TCP, option, value)
        except OSError:
            # The peer has reset it meanwhile: its reader finds that out.
            return
