"""A duty: work that one of all processes of a database does at a time, again and again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from ..errors import Unavailable
from ..net.clockedcall import ClockedCall
from .schema import settings

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .database import Database

EVERY = 60.0
"""Seconds between two rounds."""

HELD_FOR = 300.0
"""Seconds for which a process that has taken the duty has it, unless it takes it anew. Each may be done twice: the
clocks of machines differ."""


class Duty:
    """
    @param clock: its C{seconds} are since the epoch.
    @param name: of the duty, the same in all processes.
    @param work: what is done in a round; what it fails with is logged.
    @ivar stopping: a round is to end soon.
    """

    _log = Logger()

    def __init__(self, clock: Any, database: Database, name: str, work: Callable[[], Awaitable[object]]) -> None:
        self._seconds = clock.seconds
        self._database = database
        self._name = name
        self._work = work
        self._holder = uuid4().hex
        self._round: Deferred[None] | None = None
        self.stopping = False
        self._loop = ClockedCall(clock, self.round)

    def start(self) -> None:
        self.stopping = False
        self._loop.start(EVERY, now=False)

    def stop(self) -> Deferred[Any]:
        """Begin no more rounds; fires when the one that runs has ended."""
        self.stopping = True
        if self._loop.running:
            self._loop.stop()
        waiting: Deferred[None] = Deferred()
        if self._round is None:
            return succeed(None)
        self._round.addBoth(lambda _: waiting.callback(None))
        return waiting

    def round(self) -> Deferred[None]:
        """Do the work, if no other process has it. Never fails."""
        self._round = Deferred.fromCoroutine(self._attempt())
        return self._round.addErrback(self._failed).addBoth(self._ended)

    async def _attempt(self) -> None:
        now = self._seconds()
        if await self._database.run(lambda connection: taken(connection, self._name, self._holder, now)):
            await self._work()

    def _failed(self, reason: Any) -> None:
        # A database that is away says so itself; two that take a duty for the first time collide.
        if not reason.check(Unavailable, IntegrityError):
            self._log.failure("{name}: it is tried again", reason, name=self._name)

    def _ended(self, result: None) -> None:
        self._round = None


def taken(connection: Connection, name: str, holder: str, now: float) -> bool:
    """Whether a process has a duty from now on."""
    value, mine = f"{holder} {now + HELD_FOR:.0f}", settings.c.name == f"duty.{name}"
    found = connection.scalar(select(settings.c.value).where(mine))
    if found is None:
        connection.execute(settings.insert().values(name=f"duty.{name}", value=value))
        return True
    other, _, until = found.partition(" ")
    if other != holder and until.isdecimal() and now < int(until) <= now + 2 * HELD_FOR:
        return False
    return connection.execute(settings.update().where(mine, settings.c.value == found).values(value=value)).rowcount > 0
