"""
A consumer of a group of Redis Streams, as a source of events.

An entry is acknowledged when its sink has it, and not before. What a consumer has is touched now and then, so that
others of the group take over what nobody touches any more: that of a consumer which is dead. What was delivered
several times in vain is handed on alone: if it is what ended those consumers, it takes no other entry with it, and its
number of deliveries, and only its, goes on rising.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..core.events.fromstream import sourced_of
from ..interfaces.events import IEventSource
from ..net.clockedcall import ClockedCall
from ..net.ratelimitedlog import RateLimitedLog
from ..redis.connection import RedisDown, RedisRefused
from ..redis.dedicated import DedicatedConnection
from ..redis.streams import (
    BEGINNING,
    Entry,
    Pending,
    Reader,
    abandoned,
    about,
    claimed,
    count_pending,
    end,
    entries,
    entries_read,
    length,
    pending,
    position,
    unread,
)

if TYPE_CHECKING:
    from ..core.events.sourced import Sourced

FIELD = b"data"

ALONE_FROM = 3
"""Deliveries after which an entry is handed on alone: two are left then of the usual five."""

MOST_UNACKNOWLEDGED = 10_000
"""Entries whose acknowledgement Redis has not taken; nothing is read beyond."""

_PAGE = 100


@frozen
class Patience:
    """
    Seconds.

    @ivar block: how long a read waits for entries.
    @ivar claim: what nobody has touched for so long is taken over.
    @ivar answer: what Redis gets for an answer.
    """

    block: float = 5.0
    claim: float = 30.0
    answer: float = 5.0


@implementer(IEventSource)
class GroupSource:
    """
    @param connect: opens a connection to Redis.
    @param reader: this consumer of its group.
    @param begins_with: another group: a group that is new begins where that stands, if there is one, else with the
        oldest entry.
    @param alone_from: what was delivered so often in vain is handed on alone.
    @ivar gone: entries that were trimmed from the stream before they could be delivered.
    @ivar claimed: entries that were taken over from others.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        connect: Callable[[], Deferred[Any]],
        reader: Reader,
        patience: Patience = Patience(),
        begins_with: bytes = b"",
        alone_from: int = ALONE_FROM,
    ) -> None:
        self._clock = clock
        self._reader = reader
        self._patience = patience
        self._begins_with = begins_with
        self._alone_from = max(1, alone_from)
        # Reads wait in Redis; nothing else may stand behind one.
        self._reading = DedicatedConnection(clock, connect, patience.answer)
        self._asking = DedicatedConnection(clock, connect, patience.answer)
        self._held: dict[bytes, int] = {}
        self._done: dict[bytes, None] = {}
        self._suspects: deque[Pending] = deque()
        self._alone: bytes | None = None
        self._settled: Deferred[None] | None = None
        self._has_group = False
        self._own_after: bytes | None = b""
        self._cursor = b"0-0"
        self._claims_at = 0.0
        self._touching = ClockedCall(clock, self._touch)
        self._complaints = RateLimitedLog(clock, self._log, "events")
        self._closed = False
        self.gone = 0
        self.claimed = 0

    @property
    def held(self) -> int:
        """Entries that were read and are not acknowledged."""
        return len(self._held) + len(self._suspects) + len(self._done)

    @property
    def is_connected(self) -> bool:
        """Whether Redis can be read now."""
        return self._reading.stands and self._has_group

    # -- reading

    def read(self, most: int) -> Deferred[Sequence[Sourced]]:
        """See L{IEventSource}. Fails with L{RedisDown} or L{RedisRefused}; then it may be asked again."""
        if not self._touching.running and not self._closed:
            self._touching.start(self._patience.claim / 3, now=False)
        return Deferred.fromCoroutine(self._read(most))

    async def _read(self, most: int) -> Sequence[Sourced]:
        if len(self._done) >= MOST_UNACKNOWLEDGED:
            await self._acknowledge()
        try:
            await self._open_group()
            return await self._next(most)
        except RedisRefused as error:
            if _is_gone(error):
                self._has_group = False
                return []
            raise
        except (RedisDown, CancelledError):
            # What Redis has handed out as the connection ended was never seen here: it is pending for this consumer.
            self._own_after = b""
            raise

    async def _next(self, most: int) -> Sequence[Sourced]:
        """What this consumer had before, what others have left, and only then what is new."""
        if self._alone is not None:
            await self._wait_for_settled()
            return []
        if self._own_after is not None and not self._suspects:
            found = await self._own(most)
            if found:
                return found
        if not self._suspects and self._clock.seconds() >= self._claims_at:
            found = await self._claim(most)
            if found:
                return found
        if self._suspects:
            return await self._one_alone()
        wait = min(self._patience.block, max(0.001, self._claims_at - self._clock.seconds()))
        read = entries_read(await self._reading.call(self._reader.read(most, wait), wait))
        return [self._given(entry, 1) for entry in read]

    async def _open_group(self) -> None:
        if self._has_group:
            return
        try:
            await self._reading.call(self._reader.create(await self._beginning()))
        except RedisRefused as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        self._has_group = True
        self._own_after = b""
        await self._forget_abandoned()

    async def _beginning(self) -> bytes:
        if not self._begins_with:
            return BEGINNING
        try:
            groups = await self._reading.call(self._reader.groups())
        except RedisRefused:
            # There is no stream yet.
            return BEGINNING
        return position(groups, self._begins_with) or BEGINNING

    async def _forget_abandoned(self) -> None:
        """Consumers that were killed leave their names behind."""
        for consumer in abandoned(await self._reading.call(self._reader.consumers())):
            await self._reading.call(self._reader.leave(consumer))

    async def _own(self, most: int) -> Sequence[Sourced]:
        """A page of what is pending for this consumer and was not seen here."""
        rows = pending(await self._reading.call(self._reader.own(self._own_after or b"", min(most, _PAGE))))
        self._own_after = rows[-1].id if rows else None
        return await self._take(rows)

    async def _claim(self, most: int) -> Sequence[Sourced]:
        found = claimed(await self._reading.call(self._reader.claim(self._patience.claim, self._cursor, most)))
        self._cursor = found.cursor
        if found.is_last:
            self._claims_at = self._clock.seconds() + self._patience.claim / 2
        self._lost(found.gone)
        fresh = [row for row in found.rows if row.id not in self._held and row.id not in self._done]
        self.claimed += len(fresh)
        return await self._take(fresh)

    async def _take(self, rows: Sequence[Pending]) -> Sequence[Sourced]:
        waiting = {row.id for row in self._suspects}
        rows = [row for row in rows if row.id not in self._held and row.id not in self._done and row.id not in waiting]
        self._suspects.extend(row for row in rows if row.deliveries >= self._alone_from)
        return await self._taken([row for row in rows if row.deliveries < self._alone_from])

    async def _taken(self, rows: Sequence[Pending]) -> list[Sourced]:
        if not rows:
            return []
        found = entries(await self._reading.call(self._reader.take([row.id for row in rows])))
        there = {entry.id: entry for entry in found if entry.fields is not None}
        missing = [row.id for row in rows if row.id not in there]
        if missing:
            self._lost(len(missing))
            self._done.update(dict.fromkeys(missing))
            await self._acknowledge()
        return [self._given(there[row.id], row.deliveries + 1) for row in rows if row.id in there]

    async def _one_alone(self) -> Sequence[Sourced]:
        """The next suspect, once nothing else is under way."""
        if self._held:
            await self._wait_for_settled()
            return []
        row = self._suspects.popleft()
        try:
            found = await self._taken([row])
        except BaseException:
            self._suspects.appendleft(row)
            raise
        if found:
            self._alone = row.id
        return found

    async def _wait_for_settled(self) -> None:
        """Until something is acknowledged, or a while has passed."""
        settled: Deferred[None] = Deferred()
        self._settled = settled
        settled.addTimeout(max(0.1, self._patience.block), self._clock, onTimeoutCancel=lambda *_: None)
        try:
            await settled
        finally:
            self._settled = None

    def _given(self, entry: Entry, deliveries: int) -> Sourced:
        self._held[entry.id] = deliveries
        return sourced_of(entry.id.decode(), entry.get(FIELD), deliveries)

    def _lost(self, count: int) -> None:
        if count:
            self.gone += count
            why = f"{count} were trimmed from the stream before they could be delivered: raise its max_len"
            self._complaints.say(self._reader.stream.decode("utf-8", "replace"), why)

    # -- acknowledging

    def acknowledge(self, ids: Sequence[str]) -> Deferred[None]:
        """See L{IEventSource}. What Redis does not take now it is asked again: a failure is none of the caller's."""
        for each in ids:
            key = each.encode()
            if self._held.pop(key, None) is not None:
                self._done[key] = None
            if key == self._alone:
                self._alone = None
        if self._settled is not None and not self._settled.called:
            self._settled.callback(None)
        return Deferred.fromCoroutine(self._acknowledge()).addErrback(self._not_now)

    async def _acknowledge(self) -> None:
        ids = list(self._done)[:MOST_UNACKNOWLEDGED]
        if ids:
            await self._asking.call(self._reader.acknowledge(ids))
            for each in ids:
                self._done.pop(each, None)

    def _touch(self) -> None:
        """Say that what is here is worked on, and acknowledge what could not be before."""
        ids = [*self._held, *(row.id for row in self._suspects)]
        if ids or self._done:
            Deferred.fromCoroutine(self._touched(ids)).addErrback(self._not_now)

    async def _touched(self, ids: Sequence[bytes]) -> None:
        await self._acknowledge()
        if ids:
            await self._asking.call(self._reader.refresh(ids))

    def _not_now(self, reason: Any) -> None:
        if reason.check(RedisRefused) and not _is_gone(reason.value):
            self._complaints.say("acknowledging", str(reason.value)[:200])
        elif not reason.check(RedisDown, RedisRefused, CancelledError):
            self._log.failure("a source of events is broken", reason)

    # -- what stands in Redis

    def waiting(self) -> Deferred[int]:
        """
        See L{IEventSource}: what was not read yet, and what was and is not acknowledged. Where Redis does not know how
        many were not read, after it was killed, any number of them counts as one.
        """
        return Deferred.fromCoroutine(self._waiting())

    async def _waiting(self) -> int:
        count = count_pending(await self._asking.call(self._reader.waiting()))
        groups = await self._asking.call(self._reader.groups())
        lag = unread(groups, self._reader.group)
        if lag is None:
            stream = await self._asking.call(about(self._reader.stream))
            lag = int(position(groups, self._reader.group) != end(stream))
        return count + lag

    def length(self) -> Deferred[int]:
        """How many entries the stream has."""
        return Deferred.fromCoroutine(self._asking.call(length(self._reader.stream)))

    # -- the end

    def close(self) -> Deferred[None]:
        """See L{IEventSource}. What is given back may be claimed at once, and this delivery of it does not count."""
        self._closed = True
        if self._touching.running:
            self._touching.stop()
        self._reading.stop()
        leaving = Deferred.fromCoroutine(self._leave())
        leaving.addErrback(self._not_now)
        return leaving.addCallback(lambda _: self._asking.stop())

    async def _leave(self) -> None:
        await self._acknowledge()
        rows = [Pending(entry_id, deliveries - 1) for entry_id, deliveries in self._held.items()]
        rows += self._suspects
        if rows:
            await self._asking.call(self._reader.give_back(rows))
        elif self._has_group:
            await self._asking.call(self._reader.leave())


def _is_gone(error: Any) -> bool:
    """Whether Redis says it of a group, or a stream, that somebody has deleted; of a script's, within its text."""
    return "NOGROUP" in str(error) or str(error).startswith("UNBLOCKED")
