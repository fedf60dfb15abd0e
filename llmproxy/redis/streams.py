"""
Redis Streams: the commands of a consumer group, and their replies as values.

Taking over what a dead consumer had is done by scripts that count no delivery (C{JUSTID}): a delivery counts where an
entry is handed on, and there alone, so that a count says how often a consumer had it and did not come back.

Needs Redis 6.2 (C{XAUTOCLAIM}).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import frozen

from .commands import Part, command

BEGINNING = b"0"
"""Where a group begins to read that has never read anything: with the oldest entry."""

FORGOTTEN = 24 * 3600 * 1000
"""Milliseconds that an entry is made to have been idle for when it is given back: any consumer may claim it at once."""

_CLAIM = b"""
local claimed = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], 'COUNT', ARGV[5], 'JUSTID')
local rows = {}
for _, id in ipairs(claimed[2]) do
  local row = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2])[1]
  if row then rows[#rows + 1] = {id, row[4]} end
end
return {claimed[1], rows, claimed[3] or {}}
"""

_REFRESH = b"""
local kept = 0
for at = 3, #ARGV do
  if redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[at], ARGV[at], 1, ARGV[2])[1] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[at], 'JUSTID')
    kept = kept + 1
  end
end
return kept
"""

_GIVE_BACK = b"""
local given = 0
for at = 4, #ARGV, 2 do
  if redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[at], ARGV[at], 1, ARGV[2])[1] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[at], 'IDLE', ARGV[3], 'RETRYCOUNT', ARGV[at + 1], 'JUSTID')
    given = given + 1
  end
end
return given
"""

_LEAVE = b"""
if redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])[1] then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
"""


@frozen
class Entry:
    """
    @ivar fields: names and values, in turns; C{None} where it has been trimmed or deleted meanwhile.
    """

    id: bytes
    fields: tuple[bytes, ...] | None

    def get(self, name: bytes) -> bytes | None:
        """The value of the first field of that name."""
        fields = self.fields or ()
        return next((fields[at + 1] for at in range(0, len(fields) - 1, 2) if fields[at] == name), None)


@frozen
class Pending:
    """
    @ivar deliveries: how often a consumer was given it.
    """

    id: bytes
    deliveries: int


@frozen
class Claimed:
    """
    @ivar cursor: where the next call goes on; C{b"0-0"} at the end.
    @ivar gone: what is not in the stream any more, and pending no longer.
    """

    cursor: bytes
    rows: tuple[Pending, ...]
    gone: int

    @property
    def is_last(self) -> bool:
        """Whether all that there was has been looked at."""
        return self.cursor == b"0-0"


@frozen
class Reader:
    """One consumer of a group, and the commands that it sends."""

    stream: bytes
    group: bytes
    consumer: bytes

    def create(self, start: bytes = BEGINNING) -> bytes:
        """Make the group, and the stream where there is none; it is refused with C{BUSYGROUP} if there is one."""
        return command(b"XGROUP", b"CREATE", self.stream, self.group, start, b"MKSTREAM")

    def read(self, count: int, wait: float) -> bytes:
        """New entries, at most C{count}; where there are none Redis waits up to C{wait} seconds."""
        block = b"%d" % max(1, round(wait * 1000))
        words = (b"COUNT", b"%d" % count, b"BLOCK", block, b"STREAMS", self.stream, b">")
        return command(b"XREADGROUP", b"GROUP", self.group, self.consumer, *words)

    def own(self, after: bytes, count: int) -> bytes:
        """What this consumer has and did not acknowledge, behind C{after} (C{b""} from the start)."""
        start = b"(" + after if after else b"-"
        return command(b"XPENDING", self.stream, self.group, start, b"+", b"%d" % count, self.consumer)

    def take(self, ids: Sequence[bytes]) -> bytes:
        """The entries of those of C{ids} that are pending, now this consumer's; it counts as a delivery of each."""
        return command(b"XCLAIM", self.stream, self.group, self.consumer, b"0", *ids)

    def acknowledge(self, ids: Sequence[bytes]) -> bytes:
        """These are done with, for the group."""
        return command(b"XACK", self.stream, self.group, *ids)

    def claim(self, idle: float, cursor: bytes, count: int) -> bytes:
        """Make those this consumer's that nobody has touched for C{idle} seconds; no delivery is counted."""
        return self._script(_CLAIM, b"%d" % round(idle * 1000), cursor, b"%d" % count)

    def refresh(self, ids: Iterable[bytes]) -> bytes:
        """What is still this consumer's has been touched now; what another one has claimed meanwhile stays there."""
        return self._script(_REFRESH, *ids)

    def give_back(self, rows: Iterable[Pending]) -> bytes:
        """Let others claim these at once, with as many deliveries as C{rows} say."""
        words = [word for row in rows for word in (row.id, b"%d" % row.deliveries)]
        return self._script(_GIVE_BACK, b"%d" % FORGOTTEN, *words)

    def leave(self, consumer: bytes = b"") -> bytes:
        """Forget this consumer, or another, unless entries are pending for it."""
        return command(b"EVAL", _LEAVE, b"1", self.stream, self.group, consumer or self.consumer)

    def consumers(self) -> bytes:
        """All consumers of the group."""
        return command(b"XINFO", b"CONSUMERS", self.stream, self.group)

    def waiting(self) -> bytes:
        """How many entries the group has and did not acknowledge."""
        return command(b"XPENDING", self.stream, self.group)

    def groups(self) -> bytes:
        """All groups of the stream, with what they have not read."""
        return command(b"XINFO", b"GROUPS", self.stream)

    def _script(self, source: bytes, *arguments: bytes) -> bytes:
        # Short, and run every few seconds: their text is sent each time, which no restart of Redis can break.
        return command(b"EVAL", source, b"1", self.stream, self.group, self.consumer, *arguments)


def add(stream: bytes, fields: Sequence[Part], most: int) -> bytes:
    """
    Put an entry at the end.

    @param most: about how many entries stay, the oldest are removed; 0 for all of them.
    """
    trim = (b"MAXLEN", b"~", b"%d" % most) if most else ()
    return command(b"XADD", stream, *trim, b"*", *fields)


def one(stream: bytes, entry_id: bytes) -> bytes:
    """A single entry by its id."""
    return command(b"XRANGE", stream, entry_id, entry_id)


def about(stream: bytes) -> bytes:
    """What there is to know of a stream."""
    return command(b"XINFO", b"STREAM", stream)


def length(stream: bytes) -> bytes:
    """How many entries there are."""
    return command(b"XLEN", stream)


def entries_read(reply: Any) -> list[Entry]:
    """Of C{XREADGROUP}: those of the one stream that was asked for; none if nothing came in time."""
    return entries(reply[0][1]) if reply else []


def entries(reply: Any) -> list[Entry]:
    """Of C{XRANGE} and C{XCLAIM}. What is not there any more is left out, or has no fields."""
    return [Entry(row[0], None if row[1] is None else tuple(row[1])) for row in reply or () if row]


def pending(reply: Any) -> list[Pending]:
    """Of C{XPENDING} with a range."""
    return [Pending(row[0], int(row[3])) for row in reply or ()]


def claimed(reply: Any) -> Claimed:
    """Of L{Reader.claim}."""
    cursor, rows, gone = reply
    return Claimed(cursor, tuple(Pending(entry_id, int(count)) for entry_id, count in rows), len(gone))


def count_pending(reply: Any) -> int:
    """Of L{Reader.waiting}."""
    return int(reply[0]) if reply else 0


def unread(reply: Any, group: bytes) -> int | None:
    """
    Of L{Reader.groups}: how many entries of the stream a group was not given yet.

    C{None} if Redis does not know: before 7.0, and where entries were deleted from the middle.
    """
    lag = _facts(reply, group).get(b"lag")
    return None if lag is None else int(lag)


def position(reply: Any, group: bytes) -> bytes | None:
    """Of L{Reader.groups}: the last entry that a group was given; C{None} if there is no such group."""
    found: bytes | None = _facts(reply, group).get(b"last-delivered-id")
    return found


def end(reply: Any) -> bytes | None:
    """Of L{about}: the last entry that was ever added."""
    return dict(zip(reply[::2], reply[1::2], strict=False)).get(b"last-generated-id")


def abandoned(reply: Any) -> list[bytes]:
    """Of L{Reader.consumers}: those that have nothing, and did nothing for a day."""
    found = [dict(zip(row[::2], row[1::2], strict=False)) for row in reply or ()]
    return [each[b"name"] for each in found if not each[b"pending"] and each[b"idle"] >= FORGOTTEN]


def _facts(reply: Any, group: bytes) -> dict[bytes, Any]:
    for row in reply or ():
        facts = dict(zip(row[::2], row[1::2], strict=False))
        if facts.get(b"name") == group:
            return facts
    return {}
