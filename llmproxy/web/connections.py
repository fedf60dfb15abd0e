"""The counts of connections, which are limited: in all, and of one address."""

from __future__ import annotations

from typing import Protocol

REFUSED, ADMITTED, UNWELCOME = range(3)
"""
What becomes of a new connection: it is reset at once; it is served; or it is one too many, and answered with 503 as
soon as the client sends something.
"""


class Connections(Protocol):
    """Counts those of one port, or of all processes that serve it."""

    def add(self, client: str) -> tuple[int, int]:
        """
        Count one more.

        @param client: its address.
        @return: how many there are now, in all and of this address.
        """

    def remove(self, client: str) -> None:
        """Once for each L{add}."""

    def is_ahead(self) -> bool:
        """Whether this process has clearly more of them than another one that takes connections of the same ports."""


class OwnConnections:
    """Those of this process."""

    def __init__(self) -> None:
        self._total = 0
        self._clients: dict[str, int] = {}

    def add(self, client: str) -> tuple[int, int]:
        self._total += 1
        mine = self._clients.get(client, 0) + 1
        self._clients[client] = mine
        return self._total, mine

    def is_ahead(self) -> bool:
        return False

    def remove(self, client: str) -> None:
        self._total -= 1
        left = self._clients.pop(client) - 1
        if left:
            self._clients[client] = left
