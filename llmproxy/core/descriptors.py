"""Shares of the file descriptors that a process may have."""

from __future__ import annotations

RESERVED = 96
"""
Descriptors for everything but clients and upstream: databases, logs, ports, pipes, name servers, and clients that are
answered that there are too many.
"""

OWN = 17
"""Descriptors that a process with files for database and ledger has open before its first client, and two more."""

TURNED_AWAY = 32
"""Clients at a time, at most, that are answered that there are too many."""

UNLIMITED = 1 << 16
"""Descriptors that are asked for where connections have no limit."""


def connections_within(descriptors: int) -> int:
    """How many clients can be connected at once, each with a connection to upstream; at least one."""
    return max(1, (descriptors - min(RESERVED, descriptors // 4 + 2)) // 2)


def wanted(connections: int | None) -> int:
    """
    The descriptors that are enough for so many clients.

    @param connections: C{None} is without limit.
    """
    return UNLIMITED if connections is None else 2 * connections + RESERVED


def spare_within(descriptors: int, connections: int | None) -> tuple[int, int]:
    """
    What is left beside the clients, a connection to upstream for each of them, and what the process needs for itself.

    @param connections: C{None} is without limit.
    @return: how many clients at a time can be answered that there are too many, and how many can be accepted at a time.
    """
    most = connections_within(descriptors)
    clients = most if connections is None else min(connections, most)
    spare = max(0, descriptors - OWN - 2 * clients)
    turned_away = min(TURNED_AWAY, spare // 2)
    return turned_away, max(1, spare - turned_away)
