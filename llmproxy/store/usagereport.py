"""A report of usage, made in one transaction."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from math import prod
from operator import sub
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
from sqlalchemy import select

from ..core.reportgroups import PERIODS
from ..core.reportperiods import label, zone_of
from ..core.reports import MOST_ROWS, UsageQuestion, UsageReport, arranged, report_of
from ..core.rollups import HOUR, QUARTER, VALUED, WIDTHS, sources
from ..core.rollups import PLAIN as PLAIN_CUBES
from ..core.usageplan import PERSON_ID, Plan, Spans, TooMany, filters_of, plan, scan, spans_of, value_of, values_of
from ..core.usagesums import NUMBERS, sums_of
from . import usageranking, usagesql
from .together import finished, is_together, once
from .usageends import MANY_SERIES, ends_of, prepare, series_of_cubes

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

MANY_IDS = 5
"""Values of filters whose series are not looked for where sums are few."""

BRIEF = 2 * WIDTHS[HOUR]
"""Seconds at the ends of a span whose single records are read without a look at how many they are."""

T = TypeVar("T")

Numbers = tuple[int, ...]
Row = tuple[tuple[Any, ...], Numbers]
"""The position of a span and what is kept apart in it, and numbers."""

_SAMPLES = 5
_NOTHING = (0,) * len(NUMBERS)
_ADVICE = "ask for a shorter time, fewer groups, one token, or in a time zone that is whole hours from UTC"

Steps = Generator[Any, Any, T]
"""What is made of statements that can be made with those of others: it gives each, and gets its rows."""


def report(connection: Connection, question: UsageQuestion, latest: float | None = None) -> UsageReport:
    """See L{steps}."""
    return finished(connection, steps(connection, question, latest))


def steps(connection: Connection, question: UsageQuestion, latest: float | None = None) -> Steps[UsageReport]:
    """
    The answer to a question.

    @param latest: how far one goes that has no end, in seconds since the epoch.
    @raise TooMany: it would take too long.
    """
    if not is_together(connection):
        prepare(connection)
    ends = ends_of(connection)
    if ends is None:
        return report_of(question, [])
    first, last, kept_since, _ = ends
    if latest is not None and question.until is None:
        last = min(last, int(latest // WIDTHS[QUARTER] * WIDTHS[QUARTER]))
    made = yield from _Report(connection, question.aligned(), first, last, kept_since).made()
    return made


def _is_of_everything(made: Plan) -> bool:
    """Whether a plan reads nothing but sums of all there is."""
    everything = sources(frozenset())[QUARTER].number
    is_whole = not made.columns and made.value is None and not made.scans
    return is_whole and all(each.cube == everything for each in made.sums)


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
        self._most_sums = 0
        self._are_few = False
        self._looks_for_series = True
        known = ("series", tuple(self._filters.items()))
        self._narrowed: dict[int, list[int]] = once(connection, known, dict)

    def made(self) -> Steps[UsageReport]:
        question = self._question
        spans = spans_of(question, self._first, self._last)
        wanted = plan(question, spans, self._kept_since)
        if question.top is None and self._has_few_rows(wanted):
            return (yield from self._added_up(wanted))
        has_totals = question.totals and not is_together(self._connection)
        if question.top is not None and not has_totals and not wanted.quarters and self._is_short(wanted):
            return (yield from self._top(wanted, spans))
        totals = once(self._connection, self._same_totals(), lambda: self._totals(spans))
        if not totals[0]:
            return report_of(question, [])
        # What is 0 in all is 0 everywhere.
        numbers = zip(NUMBERS, totals, strict=True)
        self._names = [name for name, total in numbers if total or name in usagesql.DECIDING]
        chosen = self._chosen(wanted, totals[0])
        if not chosen.sums and spans[0][0] < self._kept_since:
            return (yield from self._later().made())
        shown = _Shown(self._question, chosen)
        found, count = self._ranked(shown.joined(chosen), shown)
        sums = {shown.keys(key): sums_of(numbers) for key, numbers in found}
        made = arranged(question, sums, sums_of(totals))
        return attrs.evolve(made, more=count - len(made.rows))

    def _has_few_rows(self, made: Plan) -> bool:
        """Whether roll-ups have all rows of a plan, and these are so few that they are read and added up here."""
        # Of people all have the value that is asked for; else what has none is added to the rows.
        is_plain = made.value is None or (self._question.persons and made.value == ("person", ""))
        scanned = sum(each.until - each.since for each in made.scans)
        if made.quarters or scanned > BRIEF or (scanned and not made.sums) or not is_plain:
            return False
        if _is_of_everything(made):
            return len(made.spans) <= MOST_ROWS
        if sum(map(len, self._filters.values())) > MANY_IDS and self._is_by_its_filters(made) and self._is_short(made):
            # To look for the series of many takes as long as to read the sums of all.
            self._looks_for_series = False
            return True
        series = self._series({each.cube for each in made.sums}) if self._filters else None
        return series is not None and len(series) * len(made.spans) <= MOST_ROWS

    def _is_by_its_filters(self, made: Plan) -> bool:
        """Whether what is kept apart are the few values that are asked for."""
        columns = set(made.columns.values())
        rows = prod(len(self._filters.get(each, ())) for each in columns) * len(made.spans)
        return columns <= self._filters.keys() and rows <= MOST_ROWS

    def _top(self, made: Plan, spans: Spans) -> Steps[UsageReport]:
        """The report of the first rows of few. What there is in all is asked last: another report may know it."""
        question = self._question
        shown = _Shown(question, made)
        query = self._query(shown.joined(made))
        rows: Sequence[Any] = ()
        if query is not None:
            order = shown.order()
            rows = yield usagesql.ranked(self._dialect, query, order, question.top or MOST_ROWS, counts=True)
        sums = {shown.keys(key): sums_of(numbers) for key, numbers in self._read(row[1:] for row in rows)}
        totals = _NOTHING
        if question.totals:
            totals = once(self._connection, self._same_totals(), lambda: self._totals(spans))
        made_of = arranged(question, sums, sums_of(totals))
        return attrs.evolve(made_of, more=(rows[0][0] if rows else 0) - len(made_of.rows))

    def _added_up(self, made: Plan) -> Steps[UsageReport]:
        """The report of all rows, and of their sums as its totals."""
        shown = _Shown(self._question, made)
        query = self._query(shown.joined(made))
        found: Sequence[Any] = () if query is None else (yield query)
        rows = list(self._read(found))
        totals = tuple(map(sum, zip(*(numbers for _, numbers in rows), strict=True))) if rows else _NOTHING
        once(self._connection, self._same_totals(), lambda: totals)
        sums = {shown.keys(key): sums_of(numbers) for key, numbers in rows if numbers[0] > 0}
        return arranged(self._question, sums, sums_of(totals))

    def _totals(self, spans: Spans) -> Numbers:
        question = attrs.evolve(self._question, group_by=())
        whole = plan(question, [(spans[0][0], spans[-1][1])] if spans else [])
        return next((numbers for _, numbers in self._sums(whole)), _NOTHING)

    def _same_totals(self) -> UsageQuestion:
        """The question that has the same totals, whatever they are grouped by."""
        return attrs.evolve(self._question, group_by=(), top=None, tz="UTC", totals=True)

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
        self._most_sums = sums = self._sums_at_most(made, requests)
        if sums > MOST_SUMS:
            raise TooMany(f"about {sums:,} sums would be read, at most {MOST_SUMS:,}: {_ADVICE}")
        read = requests * min(1.0, sum(each.until - each.since for each in made.scans) / width)
        if read > MOST_SCANNED:
            raise TooMany(f"{read:,.0f} single records would be read, at most {MOST_SCANNED:,}: {_ADVICE}")
        return made

    def _sums_at_most(self, made: Plan, requests: int) -> int:
        """
        How many sums are read, at most or about: not more than there are requests, or not many more where a request has
        several values, and of each block not more than there are series.
        """
        self._are_few = requests <= usageranking.PLAIN
        if not self._are_few and self._is_short(made):
            return usageranking.PLAIN
        return self._sums_read(made) if requests > MOST_SUMS // 3 else requests

    def _is_short(self, made: Plan) -> bool:
        """
        Whether roll-ups have all, and so few of them are read that nothing need be known of them before: most blocks
        have not nearly as many sums as there are series.
        """
        is_of_people = made.value == ("person", "") and (bool(self._question.persons) or not self._question.totals)
        if made.scans or not made.sums or not (made.value is None or is_of_people):
            return False
        counted = series_of_cubes(self._connection)
        if any(counted[each.cube] > MANY_SERIES for each in made.sums):
            return False
        most = sum(len(buckets) * counted[cube] for (cube, _), buckets in made.buckets().items())
        self._are_few = most <= 2 * usageranking.PLAIN
        return self._are_few

    def _sums_read(self, made: Plan) -> int:
        """About how many, by what some blocks have."""
        series = self._series({each.cube for each in made.sums})
        blocks = [(cube, level, buckets, _some(buckets)) for (cube, level), buckets in made.buckets().items()]
        counts = [usagesql.in_block(cube, level, bucket) for cube, level, _, some in blocks for bucket in some]
        if not counts:
            return 0
        counted = iter(self._connection.execute(select(*(each.scalar_subquery() for each in counts))).one())
        total = 0
        for *_, buckets, some in blocks:
            found = [next(counted) for _ in some]
            most = max(found) if series is None else len(series)
            total += sum(min(each, most) for each in found) * len(buckets) // len(some)
        return total

    def _ranked(self, made: Plan, shown: _Shown) -> tuple[list[Row], int]:
        """
        The rows that are shown, by the position of a span and what is kept apart, and how many there are; the database
        leaves out the others.
        """
        limit = self._question.top or MOST_ROWS
        found, count = self._leading(made, shown.order(), limit)
        if made.value is not None and made.apart and made.sums and not self._question.persons:
            rest = self._rest(made, shown)
            found += rest
            count += len(rest)
        return found, count

    def _leading(self, made: Plan, order: Sequence[tuple[int | None, bool]], limit: int) -> tuple[list[Row], int]:
        if self._dialect in usageranking.DIALECTS and not made.scans:
            if not made.sums:
                return [], 0
            ranked = self._ranking(made, order, limit)
            if ranked is not None:
                return list(self._read(ranked.rows)), ranked.count
        query = self._query(made)
        if query is None:
            return [], 0
        counts = self._are_few or self._dialect in usagesql.COUNTS
        best = usagesql.ranked(self._dialect, query, order, limit, counts=counts)
        found = usagesql.found_in(self._connection, best, self._is_hashed(made))
        if counts:
            return list(self._read(row[1:] for row in found)), found[0][0] if found else 0
        count = len(found) if len(found) < limit else self._connection.scalar(usagesql.counted(query)) or 0
        return list(self._read(found)), count

    def _ranking(self, made: Plan, order: Sequence[tuple[int | None, bool]], limit: int) -> usageranking.Ranked | None:
        series = self._series({each.cube for each in made.sums})
        sums = self._most_sums if series is None else min(self._most_sums, len(series) * len(made.sums))
        if sums <= usageranking.PLAIN:
            return None
        return usageranking.ranked(self._connection, made, self._names, self._filters, order, limit)

    def _rest(self, made: Plan, shown: _Shown) -> list[Row]:
        """What has no such value is what is left of the sums without it."""
        groups = tuple(group for group in self._question.group_by if value_of(group) is None)
        rest: dict[tuple[Any, ...], Numbers] = dict(
            self._sums(shown.joined(plan(attrs.evolve(self._question, group_by=groups), shown.spans)))
        )
        for key, numbers in self._sums(made, apart=False):
            rest[key] = tuple(map(sub, rest.get(key, _NOTHING), numbers))
        return [((*key, ""), numbers) for key, numbers in rest.items() if numbers[0] > 0]

    def _sums(self, made: Plan, apart: bool = True) -> Iterator[Row]:
        """All that a plan finds."""
        query = self._query(made, apart)
        connection, hashed = self._connection, self._is_hashed(made)
        return iter(()) if query is None else self._read(usagesql.found_in(connection, query, hashed))

    def _is_hashed(self, made: Plan) -> bool:
        """Whether PostgreSQL reads many values, where it expects few. Single records of several spans need loops."""
        many = made.value is not None and len(made.scans) < 2 and not self._are_few
        return many and self._dialect == "postgresql" and not is_together(self._connection)

    def _query(self, made: Plan, apart: bool = True) -> Any:
        """The statement of a plan; C{None} if it would find nothing."""
        parts = []
        if made.sums:
            series = self._series({each.cube for each in made.sums})
            if series != []:
                hashed = self._is_hashed(made)
                parts.append(usagesql.rolled_up(self._dialect, made, self._names, self._filters, series, apart, hashed))
        if made.scans:
            names, filters, values = self._names, self._filters, self._values if made.apart else ()
            having = made.value is not None and bool(made.sums)
            parts.append(usagesql.scanned(self._dialect, made, names, filters, values, apart=apart, having=having))
        return usagesql.grouped(parts, self._names) if parts else None

    def _series(self, cubes: set[int]) -> Sequence[int] | None:
        """The series that the filters let through, where they are few."""
        if not self._filters or not self._looks_for_series:
            return None
        found = self._narrowed
        missing = cubes - found.keys()
        if missing:
            if is_together(self._connection):
                # Other reports of a page are on the same.
                cubes_of = VALUED if PERSON_ID in self._filters else PLAIN_CUBES
                needed = self._filters.keys() - {PERSON_ID}
                missing |= {each.number for each in cubes_of if needed <= each.dimensions}
            found |= {each: [] for each in missing}
            query = usagesql.narrowed(missing, self._filters, FEW_SERIES + 1)
            for cube, id in self._connection.execute(query):
                found[cube].append(id)
        series = [id for cube in sorted(cubes) for id in found[cube]]
        return None if len(series) > FEW_SERIES else series

    def _read(self, rows: Iterable[Any]) -> Iterator[Row]:
        """The key and all numbers of each row."""
        width = len(self._names)
        places = [self._names.index(name) - width if name in self._names else None for name in NUMBERS]
        for row in rows:
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
        self.spans = made.spans
        rows = list(zip(*self._labels.values(), strict=True)) if periods else [()] * len(made.spans)
        first: dict[tuple[str, ...], int] = {}
        for at, each in enumerate(rows):
            first.setdefault(each, at)
        self._first = [first[each] for each in rows]

    def joined(self, made: Plan) -> Plan:
        """The same plan of these spans; those that are called alike, as an hour that comes twice, are the first one."""
        if self._first == list(range(len(self._first))):
            return made
        return attrs.evolve(
            made,
            sums=[attrs.evolve(each, span=self._first[each.span]) for each in made.sums],
            scans=[attrs.evolve(each, span=self._first[each.span]) for each in made.scans],
        )

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
