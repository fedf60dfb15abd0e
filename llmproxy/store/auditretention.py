"""The retention of audit records in the database: the latest so many stay."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..core.audit.cuts import CUT
from .auditcuts import forget, left, planned, remove, remove_unchained
from .duty import Duty

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .database import Database

MOST_BATCHES = 100
"""Transactions of one round; what is left goes in the next."""


class AuditRetention(Duty):
    """
    Nothing goes before the record of its cut is in the database, so that a process which dies in between leaves nothing
    that looks like somebody else's work, and the next one goes on.

    @param log: takes the records, and has C{flush}; an L{llmproxy.sinks.audit.AuditLog}.
    @param keep: rows.
    """

    def __init__(self, clock: Any, database: Database, log: Any, keep: int) -> None:
        super().__init__(clock, database, "audit", self.cut)
        self._audit = log
        self._keep = keep

    async def cut(self) -> None:
        """Finish what was begun; then cut, if there are too many rows."""
        await self._remove()
        cut = await self._database.read(lambda connection: planned(connection, self._keep))
        if cut is not None:
            for part in cut.parts():
                self._audit.log(CUT, "system", "success", **part.details())
            await self._audit.flush()
            await self._remove()

    async def _remove(self) -> None:
        cuts, chains = await self._database.read(left)
        if not cuts.before:
            return
        statements = [partial(remove, chain=chain, until=cuts.until(chain)) for chain in chains]
        budget = MOST_BATCHES
        for statement in (*statements, partial(remove_unchained, before=cuts.before)):
            budget = await self._repeat(statement, budget)
        await self._database.run(partial(forget, cuts=cuts))

    async def _repeat(self, statement: Callable[[Connection], bool], budget: int) -> int:
        """Until there is no more to do, in so many transactions at most; how many are left."""
        more = True
        while more and budget and not self.stopping:
            more = await self._database.run(statement)
            budget -= 1
        return budget
