"""Plans of reports: which roll-ups, and which single records, answer a question about usage exactly."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from .reportgroups import METADATA, PERIODS, TAG
from .reportperiods import ends, label, zone_of
from .reports import UsageQuestion
from .rollups import LONG, QUARTER, SINGLE, WIDTHS, Cube, cover, sources

MOST_SPANS = 20_000
"""Hours, days... of one report: hours of two years."""

COLUMNS = {"project": "project_id", "token": "token_id"}
"""Groups whose column has another name."""

PERSON_ID = SINGLE["person"]
"""The filter of people: in roll-ups they are values."""

Spans = list[tuple[int, int]]
"""Seconds since the epoch: begin and end, multiples of a quarter of an hour."""

Value = tuple[str, str]
"""The kind of a value and its name: C{("user", "")}, C{("tag", "team")}."""


class TooMany(ValueError):
    """What is asked for takes too much to answer; the text says what to do."""


@frozen
class Sum:
    """
    One roll-up that counts.

    @ivar span: the position of the span it counts for.
    """

    span: int
    cube: int
    level: int
    bucket: int
    sign: int


@frozen
class Scan:
    """
    Single records that count, from C{since} to C{until} (seconds since the epoch).

    @ivar span: likewise.
    """

    span: int
    since: int
    until: int
    sign: int


@frozen
class Plan:
    """
    @ivar spans: whose sums are kept apart, in their order: each is within one period of each kind that is asked for.
    @ivar columns: of a series that are kept apart, by the name of their group.
    @ivar value: what is looked at of the values that a record can have several of.
    @ivar apart: these are kept apart; else they are only what filters choose by.
    """

    spans: Spans
    columns: Mapping[str, str]
    value: Value | None
    apart: bool = True
    sums: list[Sum] = field(factory=list)
    scans: list[Scan] = field(factory=list)

    @property
    def quarters(self) -> int:
        """How many quarters of an hour are read at the level that has nearly as many rows as there are records."""
        return sum(each.level == QUARTER and each.cube == FINEST for each in self.sums)

    def buckets(self) -> dict[tuple[int, int], list[int]]:
        """The buckets that are read, by cube and level, in their order."""
        found: dict[tuple[int, int], list[int]] = {}
        for each in self.sums:
            found.setdefault((each.cube, each.level), []).append(each.bucket)
        return {key: sorted(buckets) for key, buckets in found.items()}


FINEST = sources(frozenset({"token_id", "model"}))[QUARTER].number
"""The cube that tells everything apart."""


def values_of(question: UsageQuestion) -> list[Value]:
    """What of the values that a record can have several of is asked for."""
    return [value for group in question.group_by if (value := value_of(group)) is not None]


def value_of(group: str) -> Value | None:
    """C{None} for a group of another kind."""
    if group in SINGLE:
        return group, ""
    for prefix, kind in ((TAG, "tag"), (METADATA, "metadata")):
        if group.startswith(prefix):
            return kind, group.removeprefix(prefix)
    return None


def columns_of(question: UsageQuestion) -> dict[str, str]:
    """The columns that groups of a question are kept in."""
    plain = (group for group in question.group_by if group not in PERIODS and value_of(group) is None)
    return {group: COLUMNS.get(group, group) for group in plain}


def filters_of(question: UsageQuestion) -> dict[str, tuple[str, ...]]:
    """The values that columns must have, where not all are wanted."""
    filters = {
        "project_id": question.projects,
        "token_id": question.tokens,
        "api": question.apis,
        "model": question.models,
        PERSON_ID: question.persons,
    }
    return {column: values for column, values in filters.items() if values}


def plan(question: UsageQuestion, spans: Spans, kept_since: float = 0.0) -> Plan:
    """
    @param spans: of L{spans_of}.
    @param kept_since: from when on single records are there.
    """
    columns = columns_of(question)
    needed = frozenset([*columns.values(), *filters_of(question)]) - {PERSON_ID}
    looked_at, value, apart = _value(question)
    found = sources(needed, value is not None) if looked_at < 2 else {}
    made = Plan(_widened(spans, found, kept_since), columns, value, apart)
    for number, (since, until) in enumerate(made.spans):
        if not found:
            made.scans.append(Scan(number, since, until, 1))
            continue
        for block in cover(since, until, {QUARTER, *found}):
            if block.level in found:
                made.sums.append(Sum(number, found[block.level].number, block.level, block.bucket, block.sign))
            else:
                _scan(made.scans, number, block.bucket, block.sign)
    return made


def scan(question: UsageQuestion, spans: Spans) -> Plan:
    """The same from single records alone."""
    _, value, apart = _value(question)
    made = Plan(spans, columns_of(question), value, apart)
    made.scans.extend(Scan(number, *span, 1) for number, span in enumerate(spans))
    return made


def _value(question: UsageQuestion) -> tuple[int, Value | None, bool]:
    """How many values are looked at, the one if it is one, and whether it is kept apart."""
    grouped = values_of(question)
    values = set(grouped) | ({("person", "")} if question.persons else set())
    return len(values), values.pop() if len(values) == 1 else None, bool(grouped)


def _widened(spans: Spans, found: Mapping[int, Cube], kept_since: float) -> Spans:
    """Where the single records are gone that the rest of a span is added up from, spans are of whole roll-ups."""
    if not found or QUARTER in found:
        return spans
    finest = WIDTHS[min(found)]
    return [tuple(at // finest * finest if at < kept_since else at for at in span) for span in spans]  # type: ignore[misc]


def _scan(scans: list[Scan], span: int, quarter: int, sign: int) -> None:
    """Add a quarter of an hour, to the one before where it goes on."""
    since = quarter * WIDTHS[QUARTER]
    until = since + WIDTHS[QUARTER]
    last = scans[-1] if scans else None
    if last is not None and (last.span, last.until, last.sign) == (span, since, sign):
        scans[-1] = Scan(span, last.since, until, sign)
    else:
        scans.append(Scan(span, since, until, sign))


def bounds(question: UsageQuestion, first: float, last: float) -> tuple[int, int]:
    """
    From when to when there can be something, in whole quarters of an hour. An end that is open is that of a long span,
    or of a period, so that few roll-ups are in between.
    """
    wide = WIDTHS[QUARTER] if _period(question) else WIDTHS[LONG]
    begin, end = int(first // wide * wide), int(last // wide * wide + wide)
    since = begin if question.since is None else max(int(question.since), begin)
    until = end if question.until is None else min(int(question.until), end)
    return since, max(since, until)


def spans_of(question: UsageQuestion, first: float, last: float) -> Spans:
    """
    The spans whose sums are kept apart.

    @param question: aligned.
    @param first: when the first record ended that there is; likewise C{last}.
    @raise TooMany: there are more than L{MOST_SPANS}.
    """
    period, zone = _period(question), zone_of(question.tz)
    since, until = bounds(question, first, last)
    if not period:
        return [(since, until)] if since < until else []
    spans: Spans = []
    at = since
    while at < until:
        if len(spans) == MOST_SPANS:
            raise TooMany(f"more than {MOST_SPANS} periods ({period}): ask for a shorter time, or for longer periods")
        end = min(int(ends(period, at, zone)), until)
        if period == "hour" and (end <= at or label(period, at, zone) != label(period, end - 1, zone)):
            # The clocks change within it.
            end = at + WIDTHS[QUARTER]
        spans.append((at, end))
        at = end
    return spans


def _period(question: UsageQuestion) -> str:
    """The finest period that is asked for; weeks are not within months, but days are within both."""
    asked = [name for name in PERIODS if name in question.group_by]
    if asked == ["week", "month"]:
        return "day"
    return asked[0] if asked else ""
