"""Shares of the file descriptors that a process may have."""

from __future__ import annotations

RESERVED = 96
"""
Descriptors for everything but clients and upstream: databases, logs, ports, pipes, name servers, and clients that are
told that there are too many.
"""

UNLIMITED = 1 << 16
"""Descriptors that are asked for where connections have no limit."""


def connections_within(descriptors: int) -> int:
    """How many clients can be connected at once, each with a connection to upstream; at least one."""
    return max(1, (descriptors - min(RESERVED, descriptors // 4)) // 2)


def wanted(connections: int | None) -> int:
    """
    The descriptors that are enough for so many clients.

    @param connections: C{None} is without limit.
    """
    return UNLIMITED if connections is None else 2 * connections + RESERVED
