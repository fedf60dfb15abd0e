# ruff: noqa: S608
# Names are ours, numbers are numbers, and what callers name is a parameter.
"""The sample of records that L{llmproxy.core.latency} estimates from, in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import TextClause, text

from ..core.latency import EACH, Latency, Sampled, latency_of, parts_of
from ..core.usageplan import filters_of
from ..core.usagesums import MICRO

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.reports import UsageQuestion

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
    for at, ended_at, duration, first_token in connection.execute(*_statement(question, parts)):
        found[at].append(Sampled(ended_at, duration, first_token))
    return latency_of(zip(parts, found, strict=True))


def _statement(question: UsageQuestion, parts: Sequence[tuple[int, int]]) -> tuple[TextClause, dict[str, str]]:
    """
    The last few of each part. It is written as text: to make it of expressions would take longer than to answer it.
    """
    filters = filters_of(question)
    which = "".join(f" AND {name} = :{name}" for name in filters)
    # A statement of many parts may have a limit in each only where it is a table.
    samples = [
        f"SELECT * FROM (SELECT {at} AS part, ended_at, duration, first_token FROM usage_records "
        f"WHERE ended_at >= {begin} AND ended_at < {end}{which} ORDER BY ended_at DESC, id DESC LIMIT {EACH}) AS p{at}"
        for at, (begin, end) in enumerate(parts)
    ]
    return text(" UNION ALL ".join(samples)), {name: wanted for name, (wanted,) in filters.items()}
