"""Handshakes of TLS, counted at both ends: whole ones, and those that resumed a session of before."""

from __future__ import annotations

from typing import Any

from .twistedinternals import was_resumed


class Handshakes:
    """
    @ivar clients: those that clients have made with us, C{upstream} those that we have made; of them C{clients_resumed}
        and C{upstream_resumed} went on with a session of before (RFC 8446 section 2.2), which saves both ends a
        signature.
    """

    __slots__ = ("clients", "clients_resumed", "upstream", "upstream_resumed")

    def __init__(self) -> None:
        self.clients = self.clients_resumed = self.upstream = self.upstream_resumed = 0

    def note_client(self, transport: Any) -> None:
        """A client's is done."""
        self.clients += 1
        self.clients_resumed += was_resumed(transport)

    def note_upstream(self, transport: Any) -> None:
        """One with upstream is done."""
        self.upstream += 1
        self.upstream_resumed += was_resumed(transport)
