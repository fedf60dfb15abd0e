"""Upkeep of an open database: signs of life, and the retention of what has ended."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from .database import Database
from .endedtokens import EndedTokens
from .lostleases import LostLeases


class Upkeep:
    """
    @param keep_ended: seconds for which tokens stay that have ended; C{None} for ever.
    """

    def __init__(self, clock: Any, database: Database, keep_ended: float | None = None) -> None:
        self._leases = LostLeases(clock, database, database.usage)
        self._ended = None if keep_ended is None else EndedTokens(clock, database, keep_ended)

    def start(self) -> None:
        """The database is open."""
        self._leases.start()
        if self._ended is not None:
            self._ended.start()

    def stop(self) -> Deferred[Any]:
        """Fires when nothing is under way any more."""
        self._leases.stop()
        return succeed(None) if self._ended is None else self._ended.stop()
