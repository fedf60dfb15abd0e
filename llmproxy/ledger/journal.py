"""The journal of one process: what it notes of its own exchanges, in one segment after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import frozen

from ..core.ledger.entry import Entry, begun_values, bounded, encodable, ended_values
from ..core.ledger.frames import (
    BEGUN,
    ENDED,
    HEADER,
    KIND,
    LEASED,
    OVERHEAD,
    RETURNED,
    SPENT,
    USED,
    Change,
    Header,
    frame,
)
from ..core.ledger.replay import entry_id
from .segment import ISegment, MemorySegment, NoSegment, Segment

if TYPE_CHECKING:
    from ..record import Record

LONGEST = 16 * 1024
"""Bytes of an entry; of one with longer texts a part is kept."""

MOST_IN_MEMORY = 64 * 1024 * 1024
"""Bytes that wait in memory for the database, where there can be no files."""

MEMORY_SEGMENT = 1024 * 1024

_encode = msgspec.msgpack.Encoder().encode
decoded = msgspec.msgpack.Decoder(Entry).decode
"""Makes an L{Entry} of what stands in a frame."""


@frozen
class Batch:
    """
    What the database is to get in one transaction.

    @ivar upto: how far each segment has been read with it.
    """

    entries: list[Entry]
    upto: dict[ISegment, int]


class Journal:
    """
    Notes are whole in the segment when a call returns: a process that is killed then has noted them.

    @param writer: the id of this process, 32 hexadecimal digits.
    @param database: see L{Header}.
    @param new_segment: makes the file of that number, with room for so many bytes at least; fails with an exception of
        its own choice where there can be none. C{None} for no files at all.
    @ivar sequence: of the last exchange that was noted, or the last use that was given back.
    @ivar waiting: exchanges that have ended, and that the database does not have.
    @ivar oldest_at: when the first of them ended, seconds since the epoch; C{None} where there is none.
    @ivar why: why no file could be made; C{""} where it could.
    """

    def __init__(self, writer: str, database: str, new_segment: Callable[[int, int], Segment] | None) -> None:
        self._writer = writer
        self._database = database
        self._new_segment = new_segment
        self._nowhere = NoSegment()
        self._open: dict[str, tuple[int, bytes]] = {}
        self._segments: deque[ISegment] = deque()
        self._number = 0
        self.sequence = 0
        self.waiting = 0
        self.oldest_at: float | None = None
        self.why = ""
        self._current: ISegment = self._nowhere
        self._continue(self._file() or self._memory())

    # -- what is noted

    def begin(self, record: Record, *, used: bool, leased: bool) -> None:
        """
        An exchange goes on to upstream; until it ends it is one that is interrupted.

        @param used: it has used up a request of its token.
        @param leased: that was a leased one.
        """
        self.sequence += 1
        use = (USED if used else 0) | (LEASED if leased else 0)
        if record.entry_id in self._open:
            self._changed(record, SPENT | use)
            return
        kind, id = BEGUN | use, entry_id(self._writer, self.sequence)
        if record.entry_id:
            # Its client has left, and others wait for what it has asked for: what it spends has a record all the same.
            self._write(kind, self._encoded(begun_values(record, id)))
            self._end(record, id)
            return
        record.entry_id = id
        content = self._encoded(begun_values(record, id))
        self._open[id] = kind, content
        self._write(kind, content)

    def learn(self, record: Record) -> None:
        """What is known of one that has begun is noted anew; its use is not."""
        id = record.entry_id
        known = self._open.get(id)
        if known is not None:
            content = self._encoded(begun_values(record, id))
            self._open[id] = known[0], content
            self._write(BEGUN, content)

    def end(self, record: Record) -> bytes:
        """
        An exchange has ended; it may be one that has not begun, as nobody was asked.

        @return: its entry, see L{decoded}.
        """
        id = record.entry_id
        if not id:
            self.sequence += 1
            record.entry_id = id = entry_id(self._writer, self.sequence)
        self._open.pop(id, None)
        return self._end(record, id)

    def _end(self, record: Record, id: str) -> bytes:
        content = self._encoded(ended_values(record, id))
        self._write(ENDED, content)
        if self._current is not self._nowhere:
            if not self.waiting:
                self.oldest_at = record.started_at + record.duration
            self.waiting += 1
        return content

    @staticmethod
    def _encoded(values: tuple[Any, ...]) -> bytes:
        try:
            content = _encode(values)
        except (ValueError, OverflowError):
            content = _encode(encodable(values))
        return content if len(content) <= LONGEST else _encode(bounded(decoded(content)))

    def is_open(self, record: Record) -> bool:
        """Whether it has begun and not ended."""
        return record.entry_id in self._open

    def give_back(self, record: Record, *, leased: bool) -> None:
        """
        The use of an exchange that is open is given back: nothing was sent.

        @param leased: to what was leased.
        """
        self.sequence += 1
        self._changed(record, RETURNED | USED | (LEASED if leased else 0))

    def _changed(self, record: Record, kind: int) -> None:
        """The use of one that is open is given back, or spent anew."""
        id = record.entry_id
        _, content = self._open[id]
        entry = msgspec.structs.replace(decoded(content), counted=kind & KIND == SPENT)
        self._open[id] = BEGUN, _encode(entry)
        self._write(kind, _encode(Change(id, self.sequence, record.token_id)))

    def _write(self, kind: int, content: bytes) -> None:
        data = frame(kind, content)
        if not self._current.append(data):
            self._continue(self._file() or self._memory())
            self._current.append(data)

    # -- segments

    @property
    def running(self) -> int:
        """Exchanges that have begun and not ended."""
        return len(self._open)

    @property
    def lost(self) -> int:
        """Exchanges that have ended, and that could be noted nowhere."""
        return self._nowhere.lost

    @property
    def is_losing(self) -> bool:
        """Whether there is no room at all, now."""
        return self._current is self._nowhere

    @property
    def is_on_disk(self) -> bool:
        """Whether what is noted now outlives the process."""
        return self._current.on_disk

    @property
    def waiting_bytes(self) -> int:
        """Bytes that are noted and not settled."""
        return sum(each.end - each.settled for each in self._segments)

    def improve(self) -> None:
        """
        Where what is noted does not outlive the process (there was no room for a file, or somebody has removed it), see
        whether there can be a file.
        """
        removed = not self._current.is_there()
        if self._current.on_disk and not removed:
            return
        made = self._file() or (self._memory() if self.is_losing or removed else None)
        if made is not None:
            self._continue(made)

    def unsynced(self) -> list[Segment]:
        """Those that were written to since they were last synced."""
        return [each for each in self._segments if isinstance(each, Segment) and each.dirty]

    def _file(self) -> ISegment | None:
        if self._new_segment is None:
            return None
        try:
            made = self._new_segment(self._number + 1, self._least())
        except Exception as error:
            self.why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return None
        self.why = ""
        return made

    def _memory(self) -> ISegment | None:
        size = max(MEMORY_SEGMENT, self._least())
        held = sum(each.end for each in self._segments if not each.on_disk)
        return MemorySegment(size) if held + size <= MOST_IN_MEMORY else None

    def _least(self) -> int:
        return 2 * (LONGEST + sum(OVERHEAD + len(content) for _, content in self._open.values()))

    def _continue(self, segment: ISegment | None) -> None:
        """Go on in one that is new, which begins with what is open: those before it can be removed without it."""
        if segment is None:
            self._current = self._nowhere
            return
        self._number += 1
        segment.append(frame(HEADER, _encode(Header(self._writer, self._number, self._database))))
        for kind, content in self._open.values():
            segment.append(frame(kind, content))
        segment.settled = segment.end
        self._segments.append(segment)
        self._current = segment

    # -- what is settled

    def unsettled(self, most: int, more: Batch | None = None) -> Batch | None:
        """
        The next exchanges that have ended, C{most} at most; C{None} for none.

        @param more: those that come before them, to which they are added; nothing was settled meanwhile.
        """
        batch = Batch([], {}) if more is None else more
        for segment in self._segments:
            if not _read(segment, batch, most):
                break
        if batch.entries:
            return batch
        for segment, reached in batch.upto.items():
            segment.settled = reached
        return None

    def settled(self, batch: Batch) -> None:
        """The database has all of C{batch}."""
        self.waiting -= len(batch.entries)
        self.oldest_at = batch.entries[-1].ended_at if self.waiting and batch.entries else None
        for segment, reached in batch.upto.items():
            segment.settled = reached

    def spent(self) -> list[ISegment]:
        """The oldest segments, of which the database has everything, and in which nothing more is written."""
        found = []
        for segment in self._segments:
            if segment is self._current or segment.settled < segment.end:
                break
            found.append(segment)
        return found

    def remove(self, segment: ISegment) -> None:
        """One of those that are spent."""
        self._segments.remove(segment)
        segment.remove()

    def close(self) -> None:
        """Note nothing more. What is not settled is left to those who come later."""
        self._current = self._nowhere
        for segment in self._segments:
            segment.close()
        self._segments.clear()


def _read(segment: ISegment, batch: Batch, most: int) -> bool:
    """Add what has ended of a segment; whether that is all of it."""
    while True:
        reached = start = batch.upto.get(segment, segment.settled)
        for kind, content, end in segment.contents(start):
            if kind & KIND == ENDED:
                if len(batch.entries) == most:
                    break
                batch.entries.append(decoded(content))
            reached = end
        batch.upto[segment] = reached
        if reached == start or len(batch.entries) == most:
            return reached == segment.end
