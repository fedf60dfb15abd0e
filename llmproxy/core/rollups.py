"""
Roll-ups of usage: sums of records by spans of time and by some of what is known of them.

A cube is a set of dimensions. Its sums stand at several levels: by the quarter hour where every offset from UTC fits,
and by longer spans, each a multiple of the one before, so that few rows answer a question about any span of time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

WIDTHS = (900, 3600, 14_400, 86_400, 8 * 86_400, 64 * 86_400)
"""Seconds of each level; the position is what the database calls it. All are counted from the epoch."""

QUARTER, HOUR, WATCH, DAY, OCTAVE, LONG = range(6)
"""The levels: a quarter hour, an hour, four hours, a day, eight days, sixty-four days."""

DIMENSIONS = ("project_id", "token_id", "api", "endpoint", "model", "served_model", "status")
"""What each record has one of, in the order of a series."""

VALUE = ("kind", "name", "value")
"""What a record can have several of: those of L{SINGLE}, tags, metadata."""

SINGLE = {"user": "user", "session": "session", "program": "program", "person": "person_id"}
"""Kinds of values of which a record has one at most, and the member of the record that has it."""

OTHER = "other"
"""The name of what is not rolled up under its own: models that nobody answered, values beyond the bound of a day."""


@frozen
class Cube:
    """
    @ivar number: what the database calls it.
    @ivar dimensions: what it tells apart, of L{DIMENSIONS}.
    @ivar levels: at which it stands.
    @ivar valued: it is of L{VALUE} too: a record is in it once for each value that it has.
    """

    number: int
    dimensions: frozenset[str]
    levels: tuple[int, ...]
    valued: bool = False


_COARSE = (DAY, OCTAVE, LONG)
_FINE = (HOUR, WATCH, *_COARSE)
_SERVED = ("api", "model", "served_model")


def _cube(number: int, dimensions: Iterable[str], levels: tuple[int, ...], valued: bool = False) -> Cube:
    return Cube(number, frozenset(dimensions), levels, valued)


CUBES = (
    _cube(11, (), (QUARTER, *_FINE)),
    _cube(1, ("project_id",), (QUARTER, *_FINE)),
    _cube(2, _SERVED, (QUARTER, *_FINE)),
    _cube(3, ("api", "endpoint", "status"), (QUARTER, *_FINE)),
    _cube(4, ("api", "endpoint", "model", "served_model", "status"), _FINE),
    _cube(5, ("project_id", "api", "endpoint", "status"), _FINE),
    _cube(6, ("project_id", "token_id"), _FINE),
    _cube(7, ("project_id", *_SERVED), _FINE),
    _cube(12, ("project_id", "token_id", *_SERVED), _COARSE),
    _cube(8, DIMENSIONS, (QUARTER, *_COARSE)),
    _cube(9, ("project_id",), (HOUR, DAY, OCTAVE), valued=True),
    _cube(10, _SERVED, (DAY, OCTAVE), valued=True),
)
"""Those with the fewest rows first. A number is never given to another one: rows of it are in databases."""

PLAIN = tuple(cube for cube in CUBES if not cube.valued)
VALUED = tuple(cube for cube in CUBES if cube.valued)


@frozen
class Block:
    """
    A span of one level that is added to a sum, or taken away from it.

    @ivar bucket: how many spans of that width are before it, since the epoch.
    @ivar sign: 1 or -1.
    """

    level: int
    bucket: int
    sign: int = 1


def sources(dimensions: frozenset[str], valued: bool = False) -> dict[int, Cube]:
    """For each level, the cube with the fewest rows that tells these dimensions apart, in the order of the levels."""
    found: dict[int, Cube] = {}
    for cube in CUBES:
        if cube.valued == valued and dimensions <= cube.dimensions:
            for level in cube.levels:
                found.setdefault(level, cube)
    return dict(sorted(found.items()))


def cover(since: int, until: int, levels: Iterable[int]) -> Iterator[Block]:
    """
    Few blocks whose sum is that of a span: a day that begins at one o'clock is a day less an hour and with another.

    @param since: seconds since the epoch, as C{until}; multiples of the finest level.
    @param levels: those that may be used.
    """
    yield from _cover(since, until, sorted(levels, reverse=True), 1)


def _cover(since: int, until: int, levels: list[int], sign: int) -> Iterator[Block]:
    if since == until:
        return
    level, *finer = levels
    width = WIDTHS[level]
    if not finer:
        yield from (Block(level, bucket, sign) for bucket in range(since // width, until // width))
        return
    begin, end = _nearest(since, width), _nearest(until, width)
    if begin >= end or abs(since - begin) + abs(until - end) >= until - since:
        # More would be added and taken away again than there is.
        yield from _cover(since, until, finer, sign)
        return
    yield from _edge(since, begin, finer, sign)
    yield from (Block(level, bucket, sign) for bucket in range(begin // width, end // width))
    yield from _edge(end, until, finer, sign)


def _edge(since: int, until: int, levels: list[int], sign: int) -> Iterator[Block]:
    """From C{since} to C{until}, or, where it is behind, what is between them taken away."""
    if since <= until:
        yield from _cover(since, until, levels, sign)
    else:
        yield from _cover(until, since, levels, -sign)


def _nearest(at: int, width: int) -> int:
    return (at + width // 2) // width * width
