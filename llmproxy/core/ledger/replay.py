"""The replay of what a process has written: what has ended, what was under way, and which uses it took."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from .entry import Entry
from .frames import BEGUN, ENDED, KIND, LEASED, RETURNED, SPENT, USED, Change
from .uses import Use, Uses

ID_PREFIX = 20
"""Digits of an id that are its process's; the rest is the sequence."""

_entry = msgspec.msgpack.Decoder(Entry).decode
_change = msgspec.msgpack.Decoder(Change).decode


def entry_id(writer: str, sequence: int) -> str:
    """The id of the exchange that a process has given C{sequence}."""
    return f"{writer[:ID_PREFIX]}{sequence:012x}"


def sequence_of(id: str) -> int:
    """The other way round."""
    return int(id[ID_PREFIX:], 16)


def ended_in(contents: Iterable[tuple[int, bytes]]) -> list[Entry]:
    """The exchanges that have ended, of these frames."""
    return [_entry(content) for kind, content in contents if kind & KIND == ENDED]


class Replay:
    """
    Fed with the frames of a process's files, in their order. An exchange that goes on when a file is full stands in the
    next one again: it is the same one.

    @ivar open: what has begun and not ended, by id: as it would be kept if its process had ended then.
    @ivar uses: of tokens.
    """

    def __init__(self) -> None:
        self.open: dict[str, Entry] = {}
        self.uses = Uses()

    def feed(self, contents: Iterable[tuple[int, bytes]]) -> list[Entry]:
        """What has ended, of these frames."""
        ended: list[Entry] = []
        for kind, content in contents:
            what = kind & KIND
            if what == ENDED:
                entry = _entry(content)
                self.open.pop(entry.id, None)
                ended.append(entry)
            elif what == BEGUN:
                self._begin(_entry(content), kind)
            elif what in (RETURNED, SPENT):
                self._change(_change(content), kind)
        return ended

    def _begin(self, entry: Entry, kind: int) -> None:
        sequence = sequence_of(entry.id)
        known = entry.id in self.open
        self.open[entry.id] = entry
        if kind & USED and not known:
            self.uses.add(entry.token_id, Use(sequence, 1, bool(kind & LEASED)), entry.started_at)

    def _change(self, change: Change, kind: int) -> None:
        spent = kind & KIND == SPENT
        if kind & USED:
            self.uses.add(change.token_id, Use(change.sequence, 1 if spent else -1, bool(kind & LEASED)))
        entry = self.open.get(change.id)
        if entry is not None:
            self.open[change.id] = msgspec.structs.replace(entry, counted=spent)
