"""Queries of audit records, the same on all three databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, func, literal, or_, select, type_coerce
from zope.interface import implementer

from ..core.audit.chain import Anchor, Linked
from ..core.audit.cuts import CUT, Cut, Mention, cut_of, mentions_in
from ..core.audit.record import AuditRecord
from ..core.audit.search import EXACT, SEARCHED
from ..core.audit.verify import OPENED
from ..interfaces import IAuditTrail
from ..message import Page
from .audit import TEXTS
from .paging import behind, check_limit, paged, position, read_position
from .schema import audit_chains, audit_events
from .search import contains

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from twisted.internet.defer import Deferred

    from ..core.audit.search import AuditFilter
    from ..core.audit.verify import Report
    from .database import Database

MOMENT: Any = type_coerce(audit_events.c.timestamp, BigInteger)
"""Microseconds, as they are stored."""

_QUERY = select(
    MOMENT.label("moment"), *(audit_events.c[name] for name in (*TEXTS, "metadata", "chain", "seq", "prev", "hash"))
)
_LATEST_FIRST = (audit_events.c.timestamp.desc(), audit_events.c.id.desc())
_STEP = 1000


@implementer(IAuditTrail)
class AuditTrail:
    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, limit: int, after: str | None, wanted: AuditFilter) -> Deferred[Page[Linked]]:
        check_limit(limit)
        last = None if after is None else read_position(after, int, str)
        query = _QUERY.where(*_conditions(wanted)).order_by(*_LATEST_FIRST)

        def page(connection: Connection) -> Page[Linked]:
            found = query
            if last is not None:
                found = query.where(behind(connection, MOMENT, audit_events.c.id, last[0], last[1]))
            rows = connection.execute(found.limit(limit + 1))
            return paged([link_of(row) for row in rows], limit, _position)

        return self._database.read(page)

    def verify(self) -> Deferred[Report]:
        def verify(connection: Connection) -> Report:
            from .auditverify import verify_table

            return verify_table(connection)[0]

        return self._database.read(verify)

    def rows(self, offset: int, limit: int, wanted: AuditFilter) -> Deferred[list[Linked]]:
        query = _QUERY.where(*_conditions(wanted)).order_by(*_LATEST_FIRST).offset(offset).limit(limit)
        return self._database.read(lambda connection: [link_of(row) for row in connection.execute(query)])

    def count(self, wanted: AuditFilter) -> Deferred[int]:
        query = select(func.count()).select_from(audit_events).where(*_conditions(wanted))
        return self._database.read(lambda connection: connection.scalar(query) or 0)

    def get(self, record_id: str) -> Deferred[Linked | None]:
        def get(connection: Connection) -> Linked | None:
            row = connection.execute(_QUERY.where(audit_events.c.id == record_id)).first()
            return None if row is None else link_of(row)

        return self._database.read(get)


def anchors_of(connection: Connection) -> dict[str, list[Anchor]]:
    """How far the chains have come, by their kind."""
    found: dict[str, list[Anchor]] = {}
    for row in connection.execute(select(audit_chains).order_by(audit_chains.c.started_at, audit_chains.c.id)):
        found.setdefault(row.kind, []).append(Anchor(row.id, row.records, row.head))
    return found


def mentions_of(connection: Connection) -> list[Mention]:
    """The heads of other chains that chains in the table found when they began."""
    return [mention for link in _of_action(connection, OPENED) for mention in mentions_in(link.record)]


def cuts_of(connection: Connection) -> list[tuple[Linked, Cut]]:
    """What records in a chain say of cuts."""
    return [(link, cut) for link in _of_action(connection, CUT) if (cut := cut_of(link.record)) is not None]


def _of_action(connection: Connection, action: str) -> list[Linked]:
    query = _QUERY.where(audit_events.c.action == action, audit_events.c.chain.is_not(None))
    return [link_of(row) for row in connection.execute(query)]


def links_of(connection: Connection) -> Iterator[Linked]:
    """Every record that has a place in a chain, chain by chain, in a bounded amount of memory."""
    chain, seq = "", 0
    query = _QUERY.where(audit_events.c.chain.is_not(None)).order_by(audit_events.c.chain, audit_events.c.seq)
    while True:
        same = (audit_events.c.chain == chain) & (audit_events.c.seq > seq)
        rows = connection.execute(query.where(or_(audit_events.c.chain > chain, same)).limit(_STEP)).all()
        yield from (link_of(row) for row in rows)
        if len(rows) < _STEP:
            return
        chain, seq = rows[-1].chain, rows[-1].seq


def link_of(row: Any) -> Linked:
    """
    A row as a record. One that was written into the table by somebody else is shown as well as it can be.
    """
    texts = {name: getattr(row, name) or "" for name in TEXTS}
    record = AuditRecord(timestamp=row.moment, **texts, details=_details(row.metadata))
    return Linked(record, row.chain or "", row.seq or 0, row.prev or "", row.hash or "")


def _details(text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {"unreadable": text[:200]}
    return value if isinstance(value, dict) else {"unreadable": text[:200]}


def _position(link: Linked) -> str:
    return position(link.record.timestamp, link.record.id)


def _conditions(wanted: AuditFilter) -> list[Any]:
    found = [audit_events.c[name] == value for name in EXACT if (value := getattr(wanted, name)) is not None]
    if wanted.start_time is not None:
        found.append(literal(wanted.start_time, BigInteger) <= MOMENT)
    if wanted.end_time is not None:
        found.append(literal(wanted.end_time, BigInteger) >= MOMENT)
    if wanted.search is not None:
        found.append(or_(*(contains(audit_events.c[name], wanted.search) for name in SEARCHED)))
    return found
