"""The ends of usage: from when on there is something, and how much is kept apart, which reports know beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import between, func, select, text

from ..core.rollups import PLAIN, QUARTER, VALUED, WIDTHS, sources
from .schema import settings, usage_rollups, usage_series
from .together import is_together, once
from .usageseries import range_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

KEPT_SINCE = "usage.kept_since"
"""The row of C{settings} that says from when on single records are there, in seconds since the epoch."""

MANY_SERIES = 5000
"""Series of a cube that are counted; where there are more, the sums of some blocks are."""

Ends = tuple[int, int, float, Sequence[int]]

_PLAIN, _VALUED = ([each.number for each in cubes] for cubes in (PLAIN, VALUED))
_NUMBERS = [*_PLAIN, *_VALUED]


def prepare(connection: Connection) -> None:
    """
    All statements see one moment of the database, as the transaction is begun
    (L{llmproxy.store.together.beginning}), or where a statement has to say so. None is compiled for longer than it
    runs, or sorts a few hundred thousand rows on a disk.
    """
    if connection.dialect.name == "mysql":
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    if connection.dialect.name == "postgresql":
        # Of what many blocks have the planner expects a few rows, and would sort hundreds of thousands to group them.
        chosen = {"jit": "off", "work_mem": "64MB", "enable_sort": "off"}
        written = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in chosen.items())
        connection.execute(text(f"SELECT {written}"))


def ends_of(connection: Connection) -> Ends | None:
    """
    The quarters of an hour of the first and the last record, from when on single ones are there, and for a page, whose
    reports need it, how many series there are of each cube; C{None} where nothing was used. A page asks it once.
    """
    return once(connection, ends_of, lambda: _ends(connection))


def _ends(connection: Connection) -> Ends | None:
    bucket, everything = usage_rollups.c.bucket, sources(frozenset())[QUARTER].number
    query = select(bucket).where(usage_rollups.c.cube == everything, usage_rollups.c.level == QUARTER).limit(1)
    ends = [query.order_by(each).scalar_subquery() for each in (bucket, bucket.desc())]
    kept_since = select(settings.c.value).where(settings.c.name == KEPT_SINCE).scalar_subquery()
    counts = _series_counts() if is_together(connection) else []
    found: Any = connection.execute(select(*ends, kept_since, *counts)).one()
    first, last, kept, *series = found
    if first is None:
        return None
    return first * WIDTHS[QUARTER], last * WIDTHS[QUARTER], float(kept or 0), series


def _series_counts() -> list[Any]:
    """What counts the series of each of L{_NUMBERS}, of values those of people, up to one more than L{MANY_SERIES}."""
    few = select(usage_series.c.id).limit(MANY_SERIES + 1)
    some = [few.where(usage_series.c.cube == each) for each in _PLAIN]
    people = between(usage_series.c.id, *range_of("person", ""))
    some += [few.where(usage_series.c.cube == each, people) for each in _VALUED]
    return [select(func.count()).select_from(each.subquery()).scalar_subquery() for each in some]


def series_of_cubes(connection: Connection) -> dict[int, int]:
    """How many series there are of each cube, of values those of people, up to one more than L{MANY_SERIES}."""
    ends = ends_of(connection) if is_together(connection) else None
    counted = connection.execute(select(*_series_counts())).one() if ends is None else ends[-1]
    return dict(zip(_NUMBERS, counted, strict=True))
