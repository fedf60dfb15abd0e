"""
The feed of changes: what one process changed, for every other one that uses the same database.

A change of a token or a project writes a row in the same transaction: what is not committed is not
announced, and what is committed cannot be missed. The rows are numbered by a counter that is locked until
the transaction ends, so that they become visible in the order of their numbers and without a gap;
a process that finds a gap (it was away for longer than rows are kept) knows that it does not know.

Everybody reads the rows behind the last one it knows, each second: one statement that finds nothing,
mostly. PostgreSQL wakes the readers when a row is written (C{LISTEN}, C{NOTIFY}), so that they need
not wait for the next second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import Logger

from ..errors import Unavailable
from ..net.clockedcall import ClockedCall
from .schema import changes, counters

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from twisted.python.failure import Failure

    from .contracts import ISharedDatabase

INTERVAL = 1.0
"""Seconds between two looks."""

KEPT_FOR = 3600.0
"""Seconds that rows are kept; who did not look for so long asks for everything anew."""

BATCH = 1000
"""Rows that are read at once."""

CHANNEL = "llmproxy_changes"


Change = tuple[str, str]
"""
What has changed, and its id: C{token}, C{project}, C{tokens_of} (all tokens of a project were revoked), C{person_out}
(all of a person).
"""


def note(connection: Connection, what: str, which: str, now: float) -> None:
    """
    Write down a change, in the transaction that makes it and as its last statement.

    Last, because the counter is everybody's: who waits for it must hold nothing that its holder waits for.
    """
    note_all(connection, what, [which], now)


def note_all(connection: Connection, what: str, which: Sequence[str], now: float) -> None:
    """Write down the changes of several, at least one, likewise."""
    more = counters.c.value + len(which)
    connection.execute(counters.update().where(counters.c.name == "changes").values(value=more))
    last = connection.scalar(select(counters.c.value).where(counters.c.name == "changes")) or 0
    rows = [
        {"id": number, "what": what, "which": each, "made_at": now}
        for number, each in enumerate(which, last - len(which) + 1)
    ]
    connection.execute(changes.insert(), rows)
    connection.execute(delete(changes).where(changes.c.made_at < now - KEPT_FOR))
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, "")))


def _last(connection: Connection) -> int:
    return connection.scalar(select(counters.c.value).where(counters.c.name == "changes")) or 0


def _behind(connection: Connection, last: int) -> list[tuple[int, str, str]]:
    query = select(changes.c.id, changes.c.what, changes.c.which).where(changes.c.id > last)
    return [(row.id, row.what, row.which) for row in connection.execute(query.order_by(changes.c.id).limit(BATCH))]


class Changes:
    """
    Reads what others changed.

    @param heard: makes changes effective in this process; the next ones follow when its Deferred has fired.
    @param lost: called when it is not known what was changed.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        database: ISharedDatabase,
        heard: Callable[[Sequence[Change]], Deferred[None]],
        lost: Callable[[], Deferred[None]],
        interval: float = INTERVAL,
    ) -> None:
        self._database = database
        self._heard = heard
        self._lost = lost
        self._interval = interval
        self._position = 0
        self._looking = False
        self._again = False
        self._away = False
        self._loop = ClockedCall(clock, self.look)
        self._ear: Any = None

    def start(self) -> Deferred[None]:
        """
        Begin behind the last change that there is. Call it before anything is read that could change.

        A database that no other process can open is not asked.
        """
        if not self._database.is_shared:
            return succeed(None)
        return self._database.read(_last).addCallback(self._begin)

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()
        if self._ear is not None:
            self._ear.stop()

    def look(self) -> Deferred[None]:
        """
        Read what is new, now. Never fails; while the database is away it says so once.

        If one is looking already, it looks once more.
        """
        if self._looking:
            self._again = True
            return succeed(None)
        self._looking = True
        return Deferred.fromCoroutine(self._look()).addErrback(self._failed).addCallback(self._done)

    def _begin(self, position: int) -> None:
        self._position = position
        self._loop.start(self._interval, now=False)
        self._ear = self._database.listen(CHANNEL, self.look)
        self._ear.start()

    async def _look(self) -> None:
        while True:
            rows = await self._database.read(lambda connection: _behind(connection, self._position))
            self._came_back()
            if rows:
                await self._tell(rows)
            if len(rows) < BATCH:
                return

    async def _tell(self, rows: list[tuple[int, str, str]]) -> None:
        unbroken = rows[0][0] == self._position + 1
        self._position = rows[-1][0]
        if unbroken:
            await self._heard([(what, which) for _, what, which in rows])
        else:
            self._log.warn("changes of other processes were missed: all tokens and projects are read again")
            await self._lost()

    def _came_back(self) -> None:
        if self._away:
            self._away = False
            self._log.info("the database is back: changes of other processes take effect again")
        if self._ear is not None:
            self._ear.start()

    def _failed(self, reason: Failure) -> None:
        if not reason.check(Unavailable):
            self._log.failure("changes could not be made effective", reason)
            maybeDeferred(self._lost).addErrback(lambda _: None)
        elif not self._away:
            self._away = True
            self._log.warn("the database cannot be reached: changes of other processes take effect when it is back")

    def _done(self, _: object) -> Deferred[None] | None:
        self._looking = False
        if self._again:
            self._again = False
            return self.look()
        return None
