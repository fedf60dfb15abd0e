"""The sample of records that L{llmproxy.core.latency} estimates from, in one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, literal, select, type_coerce, union_all

from ..core.latency import EACH, Latency, Sampled, latency_of, parts_of
from ..core.usageplan import filters_of
from ..core.usagesums import MICRO
from .schema import usage_records

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.reports import UsageQuestion

MOMENT: Any = type_coerce(usage_records.c.ended_at, BigInteger)
_INDEXED = frozenset({"project_id", "token_id"})
YEAR = 366 * 86_400.0


def is_sampled(question: UsageQuestion) -> bool:
    """Whether an index leads to the records that a question is about: one has them all, one each project and token."""
    filters = filters_of(question)
    return filters.keys() <= _INDEXED and sum(map(len, filters.values())) <= 1


def latency(connection: Connection, question: UsageQuestion, now: float) -> Latency:
    """
    The latency of a span: of a year where it has no begin, up to now where it has no end.

    @param question: see L{is_sampled}.
    @param now: seconds since the epoch.
    """
    until = now if question.until is None else min(now, question.until)
    since = until - YEAR if question.since is None else question.since
    parts = parts_of(round(since * MICRO), round(until * MICRO))
    if not parts:
        return Latency()
    found: list[list[Sampled]] = [[] for _ in parts]
    for row in connection.execute(union_all(*(_sample(question, at, *part) for at, part in enumerate(parts)))):
        found[row.part].append(Sampled(row.ended_at, row.duration, row.first_token))
    return latency_of(zip(parts, found, strict=True))


def _sample(question: UsageQuestion, part: int, begin: int, end: int) -> Any:
    """The last few of a part."""
    columns = usage_records.c
    query = select(
        literal(part, BigInteger, literal_execute=True).label("part"),
        MOMENT.label("ended_at"),
        columns.duration,
        columns.first_token,
    ).where(literal(begin, BigInteger) <= MOMENT, literal(end, BigInteger) > MOMENT)
    for name, (wanted,) in filters_of(question).items():
        query = query.where(columns[name] == wanted)
    # A statement of many parts may have a limit in each only where it is a table.
    return select(query.order_by(columns.ended_at.desc(), columns.id.desc()).limit(EACH).subquery())
