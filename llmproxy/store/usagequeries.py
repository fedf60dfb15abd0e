"""Reports of usage, of roll-ups where they can answer and of single records where they cannot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, literal, select, type_coerce, union_all
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..core.usageplan import TooMany, filters_of
from ..core.usagesums import MICRO
from ..errors import BadRequest
from ..interfaces import IUsageLatency, IUsageReports
from ..message import Page
from . import bulk
from .paging import behind, check_limit, paged, position, read_position
from .schema import ended_tokens, people, tokens, usage_records
from .together import beginning, single, stepwise
from .usageends import prepare
from .usagelatency import is_sampled, latency
from .usagereport import Steps, steps
from .usagerows import entry_of
from .usagesql import read_all

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.latency import Latency
    from ..core.ledger.entry import Entry
    from ..core.reports import UsageQuestion, UsageReport
    from .contracts import ITransactions

DAY = 86_400.0
AT_ONCE = 500
"""Ids whose names are asked for in one statement."""

COLUMNS = [
    type_coerce(each, BigInteger).label(each.name) if each.name.endswith("_at") else each
    for each in usage_records.columns
]
"""Moments as they are stored, in microseconds."""

MOMENT: Any = type_coerce(usage_records.c.ended_at, BigInteger)
_LATEST_FIRST = (usage_records.c.ended_at.desc(), usage_records.c.id.desc())


@implementer(IUsageReports, IUsageLatency)
class UsageReports:
    """
    @param seconds: the time, since the epoch: a report without an end goes on for a day at most behind it, whatever the
        clock of another machine has said. C{None} for as far as there is something.
    """

    def __init__(self, database: ITransactions, seconds: Callable[[], float] | None = None) -> None:
        self._database = database
        self._seconds = seconds

    def grouped(self, question: UsageQuestion) -> Deferred[UsageReport]:
        """
        Fails with L{BadRequest} where neither roll-ups nor a bounded number of single records can answer.
        """

        latest = None if self._seconds is None else self._seconds() + DAY

        def made(connection: Connection) -> Steps[UsageReport]:
            try:
                return (yield from steps(connection, question, latest))
            except TooMany as error:
                raise BadRequest(str(error), message="too much to sum up") from None

        return self._database.read(beginning(prepare, stepwise(made, read_all)))

    def latency(self, question: UsageQuestion) -> Deferred[Latency | None]:
        if not is_sampled(question):
            return succeed(None)
        now = time.time() if self._seconds is None else self._seconds()
        return self._database.read(lambda connection: latency(connection, question, now))

    def records(self, question: UsageQuestion, limit: int, after: str | None = None) -> Deferred[Page[Entry]]:
        check_limit(limit)
        last = None if after is None else read_position(after, int, str)
        query = select(*COLUMNS).where(*_conditions(question)).order_by(*_LATEST_FIRST).limit(limit + 1)

        def page(connection: Connection) -> Page[Entry]:
            found = query if last is None else query.where(behind(connection, MOMENT, usage_records.c.id, *last))
            made = paged(list(connection.execute(found)), limit, lambda row: position(row.ended_at, row.id))
            return Page([entry_of(row) for row in made.items], made.after)

        return self._database.read(single(page))

    def token_names(self, ids: Sequence[str]) -> Deferred[dict[str, str | None]]:
        def names(connection: Connection) -> dict[str, str | None]:
            found: dict[str, str | None] = {}
            for chunk in bulk.chunks(sorted(set(ids)), AT_ONCE):
                ended, there = (
                    select(literal(at), each.c.id, each.c.name).where(
                        bulk.among(connection.dialect.name, each.c.id, chunk)
                    )
                    for at, each in enumerate((ended_tokens, tokens))
                )
                # One that there is has the name that it has now.
                rows = sorted(map(tuple, connection.execute(union_all(ended, there))), key=itemgetter(0))
                found |= {id: name for _, id, name in rows}
            return found

        return self._database.read(single(names) if len(ids) <= AT_ONCE else names)

    def person_names(self, ids: Sequence[str]) -> Deferred[dict[str, str | None]]:
        def names(connection: Connection) -> dict[str, str | None]:
            found: dict[str, str | None] = {}
            for chunk in bulk.chunks(sorted(set(ids)), AT_ONCE):
                known = bulk.among(connection.dialect.name, people.c.id, chunk)
                query = select(people.c.id, people.c.name, people.c.email).where(known)
                found |= {row.id: row.name or row.email or None for row in connection.execute(query)}
            return found

        return self._database.read(single(names) if len(ids) <= AT_ONCE else names)


def _conditions(question: UsageQuestion) -> Iterator[Any]:
    for name, wanted in filters_of(question).items():
        yield usage_records.c[name].in_(wanted)
    if question.since is not None:
        yield literal(round(question.since * MICRO), BigInteger) <= MOMENT
    if question.until is not None:
        yield literal(round(question.until * MICRO), BigInteger) > MOMENT
