"""A report of usage, made in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import add, neg
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import select, text

from ..core.reportgroups import PERIODS
from ..core.reportperiods import label, zone_of
from ..core.reports import MOST_ROWS, UsageQuestion, UsageReport, arranged, report_of
from ..core.rollups import QUARTER, WIDTHS, sources
from ..core.usageplan import Plan, TooMany, filters_of, plan, scan, spans_of, value_of, values_of
from ..core.usagesums import NUMBERS, sums_of
from . import usagesql
from .schema import settings, usage_rollups

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

MOST_SCANNED = 1_000_000
"""Single records that a report reads."""

MOST_SUMS = 3_000_000
"""Sums that a report reads, about: three to ten seconds with SQLite."""

FEW = 200_000
"""Single records of a token or a project that are read instead of those."""

FEW_SERIES = 1000
"""Series that are asked for one by one."""

KEPT_SINCE = "usage.kept_since"
"""The row of C{settings} that says from when on single records are there, in seconds since the epoch."""

Numbers = tuple[int, ...]
Found = dict[tuple[Any, ...], Numbers]
"""Numbers by the position of a span and what is kept apart in it."""

_ALWAYS = ("requests", "input_tokens", "output_tokens", "cost", "cost_rest")
"""Numbers that rows are ordered by."""

_SAMPLES = 5
_NOTHING = (0,) * len(NUMBERS)
_ADVICE = "ask for a shorter time, fewer groups, one token, or in a time zone that is whole hours from UTC"


def report(connection: Connection, question: UsageQuestion, latest: float | None = None) -> UsageReport:
    """
    The answer to a question.

    @param latest: how far one goes that has no end, in seconds since the epoch.
    @raise TooMany: it would take too long.
    """
    _prepare(connection)
    ends = _ends(connection)
    if ends is None:
        return report_of(question, [])
    first, last, kept_since = ends
    if latest is not None and question.until is None:
        last = min(last, int(latest // WIDTHS[QUARTER] * WIDTHS[QUARTER]))
    return _Report(connection, question.aligned(), first, last, kept_since).made()


def _prepare(connection: Connection) -> None:
    """
    All statements see one moment of the database. None is compiled for longer than it runs, or sorts a few hundred
    thousand rows on a disk.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL jit = off"))
        connection.execute(text("SET LOCAL work_mem = '64MB'"))


def _ends(connection: Connection) -> tuple[int, int, float] | None:
    """The quarters of an hour of the first and the last record, and from when on single ones are there."""
    bucket, everything = usage_rollups.c.bucket, sources(frozenset())[QUARTER].number
    query = select(bucket).where(usage_rollups.c.cube == everything, usage_rollups.c.level == QUARTER).limit(1)
    first = connection.scalar(query.order_by(bucket))
    if first is None:
        return None
    last = connection.scalar(query.order_by(bucket.desc())) or first
    kept = connection.scalar(select(settings.c.value).where(settings.c.name == KEPT_SINCE))
    return first * WIDTHS[QUARTER], last * WIDTHS[QUARTER], float(kept or 0)


class _Report:
    """One question."""

    def __init__(
        self, connection: Connection, question: UsageQuestion, first: int, last: int, kept_since: float
    ) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
        self._question = question
        self._first, self._last, self._kept_since = first, last, kept_since
        self._filters = filters_of(question)
        self._values = values_of(question)
        self._names: Sequence[str] = NUMBERS

    def made(self) -> UsageReport:
        question = self._question
        spans = spans_of(question, self._first, self._last)
        whole = plan(attrs.evolve(question, group_by=()), [(spans[0][0], spans[-1][1])] if spans else [])
        totals = next(iter(self._added_up(whole).values()), _NOTHING)
        if not totals[0]:
            return report_of(question, [])
        # What is 0 in all is 0 everywhere.
        self._names = [name for name, total in zip(NUMBERS, totals, strict=True) if total or name in _ALWAYS]
        chosen = self._chosen(plan(question, spans, self._kept_since), totals[0])
        if not chosen.sums and spans[0][0] < self._kept_since:
            return self._later().made()
        found, count = self._found(chosen)
        shown = arranged(question, {key: sums_of(numbers) for key, numbers in found.items()}, sums_of(totals))
        return attrs.evolve(shown, more=count - len(shown.rows))

    def _later(self) -> _Report:
        """The same from when on there are single records."""
        since = -(-self._kept_since // WIDTHS[QUARTER]) * WIDTHS[QUARTER]
        question = attrs.evolve(self._question, since=since)
        return _Report(self._connection, question, self._first, self._last, since)

    def _chosen(self, made: Plan, requests: int) -> Plan:
        """The plan that is carried out: what is read is bounded."""
        begin, end = made.spans[0][0], made.spans[-1][1]
        width = max(WIDTHS[QUARTER], min(end, self._last + WIDTHS[QUARTER]) - max(begin, self._first))
        fine = requests * min(1.0, made.quarters * WIDTHS[QUARTER] / width)
        narrow = not self._filters.keys().isdisjoint(("token_id", "project_id")) and begin >= self._kept_since
        if narrow and not self._values and requests <= FEW and fine > requests / 2:
            return scan(self._question, made.spans)
        sums = self._sums_read(made) if requests > MOST_SUMS // 3 else 0
        if sums > MOST_SUMS:
            raise TooMany(f"about {sums:,} sums would be read, at most {MOST_SUMS:,}: {_ADVICE}")
        read = requests * min(1.0, sum(each.until - each.since for each in made.scans) / width)
        if read > MOST_SCANNED:
            raise TooMany(f"{read:,.0f} single records would be read, at most {MOST_SCANNED:,}: {_ADVICE}")
        return made

    def _sums_read(self, made: Plan) -> int:
        """About how many, by what some blocks have."""
        series = self._series({each.cube for each in made.sums})
        total = 0
        for (cube, level), buckets in made.buckets().items():
            some = _some(buckets)
            found = [self._connection.scalar(usagesql.in_block(cube, level, bucket)) or 0 for bucket in some]
            most = max(found) if series is None else len(series)
            total += sum(min(each, most) for each in found) * len(buckets) // len(some)
        return total

    def _found(self, made: Plan) -> tuple[Found, int]:
        """The numbers by the keys of the report, of all rows that are shown at least; and how many rows there are."""
        shown = _Shown(self._question, made)
        if (made.sums and made.scans) or not shown.is_apart:
            found = self._added_up(made)
            if made.value is not None and made.sums:
                found = {key: numbers for key, numbers in found.items() if key[-1] != ""}
                _add(found, self._rest(made, ((key[:-1], numbers) for key, numbers in found.items())))
            merged: Found = {}
            _add(merged, ((shown.keys(key), numbers) for key, numbers in found.items() if any(numbers)))
            return merged, len(merged)
        found, count = self._ranked(made, shown)
        return {shown.keys(key): numbers for key, numbers in found.items()}, count

    def _ranked(self, made: Plan, shown: _Shown) -> tuple[Found, int]:
        """The database leaves out what is not shown."""
        query = self._query(made)
        if query is None:
            return {}, 0
        limit = (self._question.top or MOST_ROWS) + 1
        found, count = self._most(usagesql.ranked(self._dialect, query, shown.order(), limit))
        if not count:
            count = len(found) if len(found) < limit else self._connection.scalar(usagesql.counted(query)) or 0
        if made.value is not None and made.sums:
            rest = self._rest(made, self._rows(self._query(made, apart=False)))
            found.update(rest)
            count += len(rest)
        return found, count

    def _most(self, query: Any) -> tuple[Found, int]:
        """The rows of a ranking, and how many there are, where that is said with each."""
        if self._dialect != "postgresql":
            return dict(self._rows(query)), 0
        counted = {key[1:]: (key[0], numbers) for key, numbers in self._rows(query)}
        count = next((each for each, _ in counted.values()), 0)
        return {key: numbers for key, (_, numbers) in counted.items()}, count

    def _rest(
        self, made: Plan, valued: Iterable[tuple[tuple[Any, ...], Numbers]]
    ) -> list[tuple[tuple[Any, ...], Numbers]]:
        """What has no such value is what is left of the sums without it."""
        groups = tuple(group for group in self._question.group_by if value_of(group) is None)
        rest = self._added_up(plan(attrs.evolve(self._question, group_by=groups), made.spans))
        _add(rest, ((key, tuple(map(neg, numbers))) for key, numbers in valued))
        return [((*key, ""), numbers) for key, numbers in rest.items() if numbers[0] > 0]

    def _added_up(self, made: Plan) -> Found:
        """All that a plan finds."""
        found: Found = {}
        for only in (attrs.evolve(made, scans=[]), attrs.evolve(made, sums=[])):
            query = self._query(only) if only.sums or only.scans else None
            if query is not None:
                _add(found, self._rows(query))
        return found

    def _query(self, made: Plan, apart: bool = True) -> Any:
        """The statement of a plan of either kind; C{None} if it would find nothing."""
        if made.scans:
            return usagesql.scanned(self._dialect, made, self._names, self._filters, self._values)
        series = self._series({each.cube for each in made.sums})
        if series == [] or not made.sums:
            return None
        return usagesql.rolled_up(self._dialect, made, self._names, self._filters, series, apart)

    def _series(self, cubes: set[int]) -> Sequence[int] | None:
        """The series that the filters let through, where they are few."""
        if not self._filters:
            return None
        numbers = self._connection.scalars(usagesql.narrowed(cubes, self._filters, FEW_SERIES + 1)).all()
        return None if len(numbers) > FEW_SERIES else numbers

    def _rows(self, query: Any) -> Iterator[tuple[tuple[Any, ...], Numbers]]:
        """The key and all numbers of each row."""
        width = len(self._names)
        places = [self._names.index(name) - width if name in self._names else None for name in NUMBERS]
        for row in self._connection.execute(query):
            yield tuple(row[:-width]), tuple([0 if at is None else row[at] for at in places])


class _Shown:
    """The rows of a report, and how they are found in those of the database."""

    def __init__(self, question: UsageQuestion, made: Plan) -> None:
        self._groups = question.group_by
        zone = zone_of(question.tz)
        periods = [group for group in self._groups if group in PERIODS]
        self._labels = {group: [label(group, since, zone) for since, _ in made.spans] for group in periods}
        names = [*made.columns, *(group for group in self._groups if value_of(group) is not None)]
        self._places = {group: at for at, group in enumerate(names)}
        rows = list(zip(*self._labels.values(), strict=True)) if periods else [()] * len(made.spans)
        self.is_apart = len(set(rows)) == len(rows)

    def keys(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        """The keys of a row, in the order of the groups."""
        return tuple(
            [
                self._labels[group][key[0]] if group in self._labels else _known(key[self._places[group] + 1])
                for group in self._groups
            ]
        )

    def order(self) -> list[tuple[int | None, bool]]:
        """What decides between rows that cost the same, see L{usagesql.ranked}."""
        return [(self._places.get(group), group not in self._labels and group != "status") for group in self._groups]


def _some(buckets: Sequence[int]) -> Sequence[int]:
    """A few, all over a time."""
    return buckets[len(buckets) // (2 * _SAMPLES) :: max(1, len(buckets) // _SAMPLES)][:_SAMPLES]


def _known(part: Any) -> Any:
    return None if part == "" else part


def _add(found: Found, rows: Iterable[tuple[tuple[Any, ...], Numbers]]) -> None:
    for key, numbers in rows:
        before = found.get(key)
        found[key] = numbers if before is None else tuple(map(add, before, numbers))
