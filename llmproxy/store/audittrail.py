"""Queries of audit records, the same on all three databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, func, literal, or_, select
from zope.interface import implementer

from ..core.audit.search import EXACT, SEARCHED
from ..interfaces import IAuditTrail
from ..message import Page
from .auditlinks import LINKS, MOMENT, link_of
from .auditverify import verify_table
from .paging import behind, bounded, check_limit, edge_of, paged, position, read_position, until_edge
from .schema import audit_events
from .search import contains
from .together import single

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from twisted.internet.defer import Deferred

    from ..core.audit.chain import Linked
    from ..core.audit.search import AuditFilter
    from ..core.audit.verify import Report
    from .database import Database

MOST_SEARCHED = 100_000
"""Records that one page of a search for a text looks at; the next one goes on where it has ended."""

_PLACE = MOMENT, audit_events.c.id
_NARROW = ("project_id", "token_id", "request_id", "correlation_id")
"""Fields of which hardly any has many records."""

_LATEST_FIRST = (audit_events.c.timestamp.desc(), audit_events.c.id.desc())


@implementer(IAuditTrail)
class AuditTrail:
    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, limit: int, after: str | None, wanted: AuditFilter) -> Deferred[Page[Linked]]:
        check_limit(limit)
        last = None if after is None else read_position(after, int, str)
        query = LINKS.where(*_conditions(wanted)).order_by(*_LATEST_FIRST)

        def page(connection: Connection) -> Page[Linked]:
            found, edge = query, None
            begun = [] if last is None else [behind(connection, *_PLACE, *last)]
            if _is_wide(wanted):
                edge = edge_of(connection, *_PLACE, MOST_SEARCHED, *_times(wanted), *begun)
            if edge is not None:
                found = found.where(until_edge(connection, *_PLACE, edge))
            rows = connection.execute(found.where(*begun).limit(limit + 1))
            return bounded(paged([link_of(row) for row in rows], limit, _position), edge)

        return self._database.read(page if _is_wide(wanted) else single(page))

    def verify(self) -> Deferred[Report]:
        def verify(connection: Connection) -> Report:
            return verify_table(connection)[0]

        return self._database.read(verify)

    def rows(self, offset: int, limit: int, wanted: AuditFilter) -> Deferred[list[Linked]]:
        query = LINKS.where(*_conditions(wanted)).order_by(*_LATEST_FIRST).offset(offset).limit(limit)
        return self._database.read(lambda connection: [link_of(row) for row in connection.execute(query)])

    def count(self, wanted: AuditFilter) -> Deferred[int]:
        query = select(func.count()).select_from(audit_events).where(*_conditions(wanted))
        return self._database.read(lambda connection: connection.scalar(query) or 0)

    def get(self, record_id: str) -> Deferred[Linked | None]:
        def get(connection: Connection) -> Linked | None:
            row = connection.execute(LINKS.where(audit_events.c.id == record_id)).first()
            return None if row is None else link_of(row)

        return self._database.read(get)


def _position(link: Linked) -> str:
    return position(link.record.timestamp, link.record.id)


def _is_wide(wanted: AuditFilter) -> bool:
    """Whether a text is looked for that no index leads near to."""
    return wanted.search is not None and all(getattr(wanted, name) is None for name in _NARROW)


def _conditions(wanted: AuditFilter) -> list[Any]:
    found = [audit_events.c[name] == value for name in EXACT if (value := getattr(wanted, name)) is not None]
    found += _times(wanted)
    if wanted.search is not None:
        found.append(or_(*(contains(audit_events.c[name], wanted.search) for name in SEARCHED)))
    return found


def _times(wanted: AuditFilter) -> list[Any]:
    found = []
    if wanted.start_time is not None:
        found.append(literal(wanted.start_time, BigInteger) <= MOMENT)
    if wanted.end_time is not None:
        found.append(literal(wanted.end_time, BigInteger) >= MOMENT)
    return found
