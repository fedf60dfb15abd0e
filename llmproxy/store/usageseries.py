"""
Series: what roll-ups are of, each with a number that every process makes of it in the same way.

So none waits for another one to learn a number, and nothing has to be looked up that was seen before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from sqlalchemy import select

from . import bulk
from .schema import usage_series

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

Key = tuple[int, str, str, str, str, str, str, int, str, str, str]
"""The number of a cube, and what stands in the columns of a series."""

MOST_KNOWN = 50_000
"""Series that are remembered, at about 300 bytes each."""

_CHUNK = 500
_SHARED, _OWN = 11, 52


class SeriesNumbers:
    """The numbers of series. It is used in one transaction at a time, and hears whether that was kept."""

    def __init__(self) -> None:
        self._known: dict[Key, int] = {}
        self._new: dict[Key, int] = {}

    def of(self, connection: Connection, keys: Iterable[Key]) -> Mapping[Key, int]:
        """The numbers of these series, and of others; those that the database does not have are put into it."""
        missing = {key for key in keys if key not in self._known}
        self._new = _numbered(connection, sorted(missing)) if missing else {}
        return {**self._known, **self._new} if missing else self._known

    def kept(self) -> None:
        """What the last transaction put into the database is there."""
        if len(self._known) + len(self._new) > MOST_KNOWN:
            self._known.clear()
        self._known.update(self._new)
        self._new = {}


def number_of(key: Key, attempt: int = 0) -> int:
    """
    63 bits, of which the first are those of L{range_of}, so that what is read together stands together.

    @param attempt: counts other series that had the same number.
    """
    return range_of(*key[8:10])[0] | _bits("\0".join(map(str, (attempt, *key))), _OWN)


@lru_cache(1000)
def range_of(kind: str, name: str) -> tuple[int, int]:
    """The lowest and the highest number that series of such values have."""
    lowest = _bits(f"{kind}\0{name}", _SHARED) << _OWN
    return lowest, lowest + (1 << _OWN) - 1


def _bits(text: str, count: int) -> int:
    digest = blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - count)


def _numbered(connection: Connection, keys: list[Key]) -> dict[Key, int]:
    found: dict[Key, int] = {}
    attempt = 0
    while keys:
        numbers = {key: number_of(key, attempt) for key in keys}
        there = _there(connection, numbers.values())
        taken: dict[int, Key] = {}
        for key, number in numbers.items():
            if there.get(number, key) == key and taken.setdefault(number, key) == key:
                found[key] = number
        bulk.insert_new(connection, usage_series, sorted((n, *k) for n, k in taken.items() if n not in there))
        keys = [key for key in keys if key not in found]
        attempt += 1
    return found


def _there(connection: Connection, numbers: Iterable[int]) -> dict[int, Key]:
    found: dict[int, Key] = {}
    for chunk in bulk.chunks(numbers, _CHUNK):
        rows = connection.execute(
            select(usage_series).where(bulk.among(connection.dialect.name, usage_series.c.id, chunk))
        )
        found |= {row[0]: tuple(row[1:]) for row in rows}
    return found
