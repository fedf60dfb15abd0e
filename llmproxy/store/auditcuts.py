"""
Audit records taken out of the database when there are too many: what is to go, and the statements that let it go.

Each chain loses a beginning, see L{llmproxy.core.audit.cuts}. What every statement touches is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, delete, func, literal, select

from ..core.audit.chain import Anchor
from ..core.audit.cuts import Cut, Cuts
from .audit import SQL
from .auditlinks import MOMENT, cuts_of, mentions_of
from .schema import audit_chains, audit_events

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.audit.chain import Linked

BATCH = 500
"""Rows that one transaction takes out."""

MOST_NEW = 64
"""Chains that are cut further at once."""

_EVENTS = audit_events.c


def planned(connection: Connection, keep: int) -> Cut | None:
    """
    What is to be cut, so that the latest C{keep} rows stay; nothing until there are a tenth more than that.

    It says again what earlier records say that will be gone themselves and is needed still.
    """
    if _nth(connection, keep + keep // 10) is None:
        return None
    before = _nth(connection, keep - 1)
    if before is None:
        return None
    said = cuts_of(connection)
    cuts = Cuts(cut for _, cut in said)
    ends = _new_ends(connection, before, cuts)
    if not ends and not _unchained(connection, before):
        return None
    return Cut(before, {**_repeated(connection, before, said, cuts), **ends})


def left(connection: Connection) -> tuple[Cuts, list[str]]:
    """All cuts that were written down, and the chains of which something is there that may go."""
    cuts = Cuts(cut for _, cut in cuts_of(connection))
    return cuts, [chain for chain in cuts.chains if _first(connection, chain, cuts.until(chain)) is not None]


def remove(connection: Connection, chain: str, until: int) -> bool:
    """Take out the first rows of a chain; whether there are more of those up to C{until}."""
    first = _first(connection, chain, until)
    if first is not None:
        last = min(until, first + BATCH - 1)
        connection.execute(delete(audit_events).where(_EVENTS.chain == chain, _EVENTS.seq <= last))
        return last < until
    return False


def remove_unchained(connection: Connection, before: int) -> bool:
    """Take out rows that have no place in a chain, of a release that had none; whether there may be more."""
    ids = _unchained(connection, before)
    if ids:
        connection.execute(delete(audit_events).where(_EVENTS.id.in_(ids)))
    return len(ids) == BATCH


def forget(connection: Connection, cuts: Cuts) -> None:
    """Take out what is known of chains of which nothing is left, and which nobody will look for."""
    # Earlier releases mentioned heads without saying of when they were.
    looked_for = {mention.anchor.chain for mention in mentions_of(connection) if mention.at is None}
    old = (audit_chains.c.kind == SQL) & (audit_chains.c.updated_at < literal(cuts.before, BigInteger))
    for row in connection.execute(select(audit_chains.c.id, audit_chains.c.records).where(old)).all():
        if row.records <= cuts.until(row.id) and row.id not in looked_for:
            this = (audit_chains.c.id == row.id) & (audit_chains.c.records == row.records)
            empty = ~select(_EVENTS.id).where(_EVENTS.chain == row.id).exists()
            connection.execute(delete(audit_chains).where(this, old, empty))


def _nth(connection: Connection, offset: int) -> int | None:
    """The time of the row that so many later ones stand before, microseconds since the epoch."""
    latest = select(MOMENT).order_by(_EVENTS.timestamp.desc(), _EVENTS.id.desc())
    found: int | None = connection.scalar(latest.offset(offset).limit(1))
    return found


def _new_ends(connection: Connection, before: int, cuts: Cuts) -> dict[str, Anchor]:
    """How far chains are cut that have something old."""
    old = select(_EVENTS.chain).distinct().where(literal(before, BigInteger) > MOMENT, _EVENTS.chain.is_not(None))
    found = {}
    for chain in connection.scalars(old.limit(MOST_NEW)).all():
        until = _until(connection, chain, before)
        this = (_EVENTS.chain == chain) & (_EVENTS.seq == until)
        head = connection.scalar(select(_EVENTS.hash).where(this))
        if head is not None and until > cuts.until(chain):
            found[chain] = Anchor(chain, until, head)
    return found


def _until(connection: Connection, chain: str, before: int) -> int:
    """The last record of the part of a chain that is old as a whole."""
    moment, mine = literal(before, BigInteger), _EVENTS.chain == chain
    first = connection.scalar(select(func.min(_EVENTS.seq)).where(mine, moment <= MOMENT))
    if first is not None:
        return int(first) - 1
    last = connection.scalar(select(func.max(_EVENTS.seq)).where(mine)) or 0
    old = select(audit_chains.c.id).where(audit_chains.c.id == chain, audit_chains.c.updated_at < moment)
    # Others find a chain by the time at which it was written to last: until that is old too, its last record stays.
    return last if connection.scalar(old) is not None else last - 1


def _repeated(connection: Connection, before: int, said: Iterable[tuple[Linked, Cut]], cuts: Cuts) -> dict[str, Anchor]:
    """Ends that only records say that will be gone, of chains that are known still."""
    known = set(connection.scalars(select(audit_chains.c.id).where(audit_chains.c.kind == SQL)))
    going, staying = {}, set()
    for link, cut in said:
        for chain, end in cut.ends.items():
            if end.count != cuts.until(chain):
                continue
            if link.record.timestamp >= before:
                staying.add(chain)
            elif chain in known or _first(connection, chain, 2**62) is not None:
                going[chain] = end
    return {chain: end for chain, end in going.items() if chain not in staying}


def _unchained(connection: Connection, before: int) -> list[str]:
    old = select(_EVENTS.id).where(_EVENTS.chain.is_(None), literal(before, BigInteger) > MOMENT)
    return list(connection.scalars(old.limit(BATCH)))


def _first(connection: Connection, chain: str, until: int) -> int | None:
    """The first record of a chain that is there, if it is none after C{until}."""
    found = select(func.min(_EVENTS.seq)).where(_EVENTS.chain == chain, _EVENTS.seq <= until)
    first: int | None = connection.scalar(found)
    return first
