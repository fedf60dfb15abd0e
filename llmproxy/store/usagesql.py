"""
Statements that sum up usage, of roll-ups and of single records, in the words of each database.

Their rows are the position of a span, what is kept apart (C{key0}, C{key1}...), and whole numbers by the names of
L{llmproxy.core.usagesums.NUMBERS}, of which only those are summed up that are not 0 everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import (
    BigInteger,
    String,
    and_,
    between,
    case,
    cast,
    collate,
    column,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    type_coerce,
    union_all,
)
from sqlalchemy.types import JSON

from ..core.rollups import SINGLE
from ..core.usageplan import PERSON_ID
from ..core.usagesums import COUNTED, HIT, NUMBERS
from . import bulk
from .schema import usage_records, usage_rollups, usage_series
from .usageseries import range_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.usageplan import Plan, Value

Filters = Mapping[str, tuple[str, ...]]
"""The values that columns must have."""

MICRO = 1_000_000

COUNTS = ("sqlite", "postgresql")
"""Databases whose rankings say with each row how many there are, even of many: it comes first."""

DECIDING = ("requests", "input_tokens", "output_tokens", "cost", "cost_rest")
"""Numbers that rows are ordered by."""

_SUM = ("span", "cube", "level", "bucket", "sign")
_SCAN = ("span", "since", "until", "sign")
_R, _S, _E = usage_rollups.c, usage_series.c, usage_records.c


def rolled_up(
    dialect: str,
    plan: Plan,
    names: Sequence[str],
    filters: Filters,
    series: Sequence[int] | None = None,
    apart: bool = True,
    hashed: bool = False,
) -> Any:
    """
    The roll-ups of a plan, each a row; see L{grouped}.

    @param names: of the numbers.
    @param series: all that the filters let through, where they are few.
    @param apart: values are kept apart; else all of a name are added up.
    @param hashed: a plan of values is for L{found_in}, which may only join by hashes.
    """
    rows = [(each.span, each.cube, each.level, each.bucket, each.sign) for each in plan.sums]
    blocks = values(dialect, _SUM, rows).subquery("blocks")
    keys = [_S[name] for name in plan.columns.values()] + (
        [_S.value] if plan.value is not None and plan.apart and apart else []
    )
    if hashed and series is None:
        return _valued(plan, blocks, keys, names, filters)
    query = _rows(blocks, keys, names, {name: _R[name] for name in names}, min(row[-1] for row in rows) > 0)
    query = query.join(usage_rollups, and_(*(_R[name] == blocks.c[name] for name in ("cube", "level", "bucket"))))
    if series is not None:
        query = query.where(bulk.among(dialect, _R.series, series))
    if keys or plan.value is not None or (filters and series is None):
        query = query.join(usage_series, _S.id == _R.series)
    if series is None:
        query = query.where(*_conditions(_S, filters))
    if plan.value is not None:
        kind, name = plan.value
        query = query.where(between(_R.series, *range_of(kind, name)), _S.kind == kind, _S.name == name)
    return query


def _valued(plan: Plan, blocks: Any, keys: list[Any], names: Sequence[str], filters: Filters) -> Any:
    """
    The same of values with PostgreSQL, whose planner takes what hundreds of blocks have for a few rows, and would look
    up the series of each of a hundred thousand: here series are joined first. C{OFFSET} keeps it in that order.
    """
    kind, name = plan.value or ("", "")
    labelled = [key.label(f"key{at}") for at, key in enumerate(keys)]
    of_block = [_R[each] for each in ("cube", "level", "bucket")]
    # Not of the series themselves too: the planner would look through all of the range for each sum.
    wanted = [between(_R.series, *range_of(kind, name)), _S.kind == kind, _S.name == name, *_conditions(_S, filters)]
    parts = []
    for (cube, level), buckets in plan.buckets().items():
        there = (_R.cube == cube, _R.level == level, bulk.among("postgresql", _R.bucket, sorted(set(buckets))))
        part = select(*of_block, *labelled, *(_R[each] for each in names)).select_from(usage_rollups)
        part = part.join(usage_series, _S.id == _R.series).where(*there, *wanted).offset(literal_column("0"))
        parts.append(select(part.subquery()))
    rows = (union_all(*parts) if parts[1:] else parts[0]).subquery("sums")
    apart = [rows.c[each.name] for each in labelled]
    signed = [(blocks.c.sign * rows.c[each]).label(each) for each in names]
    query = select(blocks.c.span, *apart, *signed).select_from(blocks)
    return query.join(rows, and_(*(rows.c[each.name] == blocks.c[each.name] for each in of_block)))


def scanned(
    dialect: str,
    plan: Plan,
    names: Sequence[str],
    filters: Filters,
    said: Sequence[Value],
    *,
    apart: bool = True,
    having: bool = False,
) -> Any:
    """
    The single records of a plan, each a row; see L{grouped}.

    @param said: what is kept apart of the values that a record can have several of.
    @param apart: likewise.
    @param having: only records that have such a value: that is all that roll-ups know of them.
    """
    rows = [(each.span, each.since * MICRO, each.until * MICRO, each.sign) for each in plan.scans]
    blocks = values(dialect, _SCAN, rows).subquery("blocks")
    values_said = [_said(dialect, value) for value in said]
    keys = [_shown(name) for name in plan.columns.values()] + (values_said if apart else [])
    ended = type_coerce(_E.ended_at, BigInteger)
    query = _rows(blocks, keys, names, _OF_ONE, min(row[-1] for row in rows) > 0)
    query = query.join(usage_records, and_(ended >= blocks.c.since, ended < blocks.c.until))
    if having:
        query = query.where(*(each != "" for each in values_said))
    return query.where(*(_shown(name).in_(wanted) for name, wanted in filters.items()))


def found_in(connection: Connection, query: Any, hashed: bool) -> Sequence[Any]:
    """
    The rows of a query.

    @param hashed: PostgreSQL may only join by hashes.
    """
    if not hashed:
        return connection.execute(query).all()
    connection.execute(text("SET LOCAL enable_nestloop = off"))
    rows = connection.execute(query).all()
    connection.execute(text("SET LOCAL enable_nestloop = on"))
    return rows


def grouped(parts: Sequence[Any], names: Sequence[str]) -> Any:
    """
    The sums of rows, by the position of a span and what is kept apart.

    @param parts: of L{rolled_up} and L{scanned}, which keep the same apart.
    """
    together: Any = parts[0] if len(parts) == 1 else union_all(*parts)
    rows = together.subquery("parts")
    keys = [each for each in rows.c if each.name not in names]
    sums = [cast(func.sum(rows.c[name]), BigInteger).label(name) for name in names]
    return select(*keys, *sums).group_by(*keys)


def narrowed(cubes: Iterable[int], filters: Filters, limit: int) -> Any:
    """The cubes and numbers of the series that filters let through, so many of each cube at most."""
    conditions = _conditions(_S, filters)
    each = [select(_S.cube, _S.id).where(_S.cube == cube, *conditions).limit(limit) for cube in sorted(cubes)]
    return union_all(*(select(some.subquery()) for some in each))


def in_block(cube: int, level: int, bucket: int) -> Any:
    """How many sums a block has."""
    wanted = (_R.cube == cube, _R.level == level, _R.bucket == bucket)
    return select(func.count()).select_from(usage_rollups).where(*wanted)


def ranked(
    dialect: str, query: Any, order: Sequence[tuple[int | None, bool]], limit: int, *, counts: bool = False
) -> Any:
    """
    Those rows of a query that cost most, as L{llmproxy.core.reports.report_of} has them.

    @param order: what decides between equals: the position of a key, or C{None} for the span; and whether it is text.
    @param counts: how many rows there are comes first; without, another query is quicker (L{counted}).
    """
    rows = query.subquery("rows")
    tied = [part for at, is_text in order for part in _tie(dialect, rows.c, at, is_text)]
    tokens = rows.c.input_tokens + rows.c.output_tokens
    whole, rest = rows.c.cost + _whole(dialect, rows.c.cost_rest), rows.c.cost_rest % MICRO
    descending = [each.desc() for each in (whole, rest, tokens, rows.c.requests)]
    count = [func.count().over().label("row_count")] if counts else []
    return select(*count, rows).where(rows.c.requests > 0).order_by(*descending, *tied).limit(limit)


def read_all(connection: Connection, queries: Sequence[Any]) -> list[Sequence[Any]]:
    """The rows of several queries, in one statement where they keep one text apart at most and have all numbers."""
    parts = [_part(at, query) for at, query in enumerate(queries)] if len(queries) > 1 else []
    alike = [each for each in parts if each is not None]
    if len(alike) < 2:
        return [connection.execute(query).all() for query in queries]
    rows: dict[int, list[Any]] = {}
    for at, *row in connection.execute(union_all(*alike)):
        rows.setdefault(at, []).append(row)
    return [
        connection.execute(query).all() if part is None else [_row(query, row) for row in rows.get(at, ())]
        for at, (query, part) in enumerate(zip(queries, parts, strict=True))
    ]


def _shape(query: Any) -> tuple[bool, int]:
    """Whether the rows of a query begin with how many there are, and how many of their columns are kept apart."""
    names = [each.name for each in query.selected_columns]
    return names[0] != "span", sum(name.startswith("key") for name in names)


def _part(at: int, query: Any) -> Any:
    """A query as one of several, with its place: the count, the span, one key, the numbers; C{None} if it is unlike."""
    counts, keys = _shape(query)
    columns = list(query.subquery().c)
    count = columns.pop(0) if counts else literal(0)
    span, key = columns.pop(0), columns.pop(0) if keys else literal("")
    if keys > 1 or not isinstance(key.type, String) or len(columns) != len(NUMBERS):
        return None
    return select(literal(at).label("at"), count.label("count"), span.label("span"), key.label("kept"), *columns)


def _row(query: Any, row: Sequence[Any]) -> tuple[Any, ...]:
    counts, keys = _shape(query)
    count, span, key, *numbers = row
    return (*([count] if counts else ()), span, *([key] if keys else ()), *numbers)


def counted(query: Any) -> Any:
    """How many rows a query has that L{ranked} would show."""
    rows = query.subquery("rows")
    return select(func.count()).select_from(rows).where(rows.c.requests > 0)


def values(dialect: str, names: Sequence[str], rows: Sequence[tuple[int, ...]]) -> Any:
    """Rows of whole numbers as a table."""
    written = written_values(dialect, names, rows)
    return text(written.replace(":", "\\:")).columns(*(column(name, BigInteger) for name in names))


def written_values(dialect: str, names: Sequence[str], rows: Sequence[tuple[int, ...]]) -> str:
    """The same as a statement."""
    # PostgreSQL would take the first for what is too small for those behind.
    kind = "::bigint" if dialect == "postgresql" else ""
    written = "SELECT " + ", ".join(f"{value}{kind} AS {name}" for name, value in zip(names, rows[0], strict=True))
    if rows[1:] and dialect == "mysql":
        written += "".join(f" UNION ALL SELECT {', '.join(map(str, row))}" for row in rows[1:])
    elif rows[1:]:
        written += f" UNION ALL VALUES {', '.join(map(str, rows[1:]))}"
    return written


def _rows(blocks: Any, keys: list[Any], names: Sequence[str], numbers: Mapping[str, Any], positive: bool) -> Any:
    labelled = [key.label(f"key{at}") for at, key in enumerate(keys)]
    signed = [(numbers[name] if positive else blocks.c.sign * numbers[name]).label(name) for name in names]
    return select(blocks.c.span, *labelled, *signed).select_from(blocks)


def _conditions(columns: Any, filters: Filters) -> list[Any]:
    return [columns["value" if name == PERSON_ID else name].in_(wanted) for name, wanted in filters.items()]


def _tie(dialect: str, columns: Any, at: int | None, is_text: bool) -> list[Any]:
    """In the order of characters; what is not known comes last."""
    key = columns.span if at is None else columns[f"key{at}"]
    if not is_text:
        return [key]
    return [case((key == "", 1), else_=0), collate(key, "C") if dialect == "postgresql" else key]


def _whole(dialect: str, rest: Any) -> Any:
    return rest.op("DIV")(MICRO) if dialect == "mysql" else rest.op("/")(MICRO)


def _shown(name: str) -> Any:
    """A column of single records as roll-ups have it."""
    if name == "model":
        return func.coalesce(_E.grouped_model, _E.model)
    if name == "served_model":
        unknown = and_(_E.grouped_model.is_not(None), _E.served_model != "")
        return case((unknown, _E.grouped_model), else_=_E.served_model)
    return _E[name]


def _said(dialect: str, value: Value) -> Any:
    """What a record has of a value that it can have several of; C{""} for nothing."""
    kind, name = value
    if kind in SINGLE:
        return func.coalesce(_E[SINGLE[kind]], "")
    stored = _E.tags if kind == "tag" else _E.metadata
    if dialect == "sqlite":
        each = func.json_each(stored).table_valued("key", "value")
        found: Any = select(each.c.value).where(each.c.key == name).limit(1).scalar_subquery()
    elif dialect == "postgresql":
        found = cast(stored, JSON).op("->>")(name)
    else:
        found = func.json_unquote(func.json_extract(*_member(stored, name)))
    return func.coalesce(found, "")


def _member(stored: Any, name: str) -> tuple[Any, Any]:
    """Where MySQL finds a member: the document and the path in it."""
    if not name.startswith("-"):
        return stored, f"$.{msgspec.json.encode(name).decode()}"
    # MariaDB finds no name in a path that begins so (10.11): the place of its value among all is that of its name.
    pattern = re.sub(r"([\\%_])", r"\\\1", name)
    place = func.json_search(func.json_keys(stored), "one", pattern)
    return func.json_extract(stored, "$.*"), func.json_unquote(place)


def _one(condition: Any) -> Any:
    return case((condition, literal(1)), else_=literal(0))


_COUNTED = or_(*(_E[name].is_not(None) for name in ("input_tokens", "output_tokens", "images", "audio")))

_OF_ONE = {
    "requests": literal(1),
    "errors": _one(or_(_E.status >= 400, _E.ending != "complete")),
    **{
        name: func.coalesce(_E[name], 0)
        for name in (*COUNTED, "audio", "cost", "cost_rest", "cost_saved", "cost_saved_rest")
    },
    "cache_hits": _one(_E.cache == HIT),
    **{name: _one(_E[name]) for name in ("unknown", "estimated", "truncated")},
    "unpriced": _one(and_(_COUNTED, _E.cost.is_(None))),
}
"""What one record adds, as L{llmproxy.core.usagesums.numbers_of} has it."""
