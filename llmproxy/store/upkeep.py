"""Upkeep of an open database: signs of life, and the retention of what has ended."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from .database import Database
from .duty import Duty
from .endedtokens import EndedTokens
from .lostleases import LostLeases
from .usageretention import UsageRetention


class Upkeep:
    """
    @param keep_ended: seconds for which tokens stay that have ended; C{None} for ever.
    @param keep_records: seconds for which single records of usage stay; likewise.
    """

    def __init__(
        self,
        clock: Any,
        database: Database,
        keep_ended: float | None = None,
        keep_records: float | None = None,
    ) -> None:
        self._leases = LostLeases(clock, database, database.usage)
        self._duties: list[Duty] = [UsageRetention(clock, database, keep_records)]
        if keep_ended is not None:
            self._duties.append(EndedTokens(clock, database, keep_ended))

    def start(self) -> None:
        """The database is open."""
        self._leases.start()
        for duty in self._duties:
            duty.start()

    def stop(self) -> Deferred[Any]:
        """Fires when nothing is under way any more."""
        self._leases.stop()
        return gatherResults([duty.stop() for duty in self._duties])
