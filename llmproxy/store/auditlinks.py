"""Audit records as they stand in the database: single ones, chains, and how far those have come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, or_, select, type_coerce

from ..core.audit.chain import Anchor, Linked
from ..core.audit.cuts import CUT, Cut, Mention, cut_of, mentions_in
from ..core.audit.record import AuditRecord
from ..core.audit.verify import OPENED
from .audit import TEXTS
from .schema import audit_chains, audit_events

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

MOMENT: Any = type_coerce(audit_events.c.timestamp, BigInteger)
"""Microseconds, as they are stored."""

LINKS = select(
    MOMENT.label("moment"), *(audit_events.c[name] for name in (*TEXTS, "metadata", "chain", "seq", "prev", "hash"))
)
"""What L{link_of} takes rows of."""

_STEP = 1000


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
    query = LINKS.where(audit_events.c.action == action, audit_events.c.chain.is_not(None))
    return [link_of(row) for row in connection.execute(query)]


def links_of(connection: Connection) -> Iterator[Linked]:
    """Every record that has a place in a chain, chain by chain, in a bounded amount of memory."""
    chain, seq = "", 0
    query = LINKS.where(audit_events.c.chain.is_not(None)).order_by(audit_events.c.chain, audit_events.c.seq)
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
