"""
Audit records in the database: a chain for each process, so that none waits for another's.

How far a chain has come stands in C{audit_chains}, written with its records. A chain begins with a record that
names the heads of those that were there before: one that is taken out whole is missed by a later one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import succeed
from zope.interface import implementer

from ..core.audit.chain import Anchor, Chain
from ..core.audit.encoding import encode
from ..errors import Unavailable
from ..interfaces import IAuditSink
from .schema import audit_chains, audit_events

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from twisted.internet.defer import Deferred

    from ..core.audit.chain import Linked
    from ..core.audit.record import AuditRecord
    from .database import Database

MENTIONED = 16
"""Heads of other chains that a chain begins with: the latest."""

_AT_ONCE = 500

SQL, FILE = "sql", "file"
"""What C{audit_chains.kind} may be."""

TEXTS = (
    "id",
    "action",
    "actor",
    "outcome",
    "project_id",
    "request_id",
    "correlation_id",
    "client_ip",
    "method",
    "path",
    "user_agent",
    "reason",
    "token_id",
)
"""Columns that hold a text of a record under its own name; an empty one is stored as C{NULL}."""


@implementer(IAuditSink)
class AuditTable:
    """
    @param opening: makes the first record of a chain, with the heads of others, by their chain.
    """

    name = "sql"

    def __init__(
        self,
        clock: Any,
        database: Database,
        opening: Callable[[dict[str, list[Any]]], AuditRecord],
        make_id: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self._seconds = clock.seconds
        self._database = database
        self._make_opening = opening
        self._make_id = make_id
        self._opening: AuditRecord | None = None
        self._chain = Chain(make_id())
        self._written_at = 0.0
        self._former: dict[str, list[Any]] = {}

    def write(self, records: Sequence[AuditRecord]) -> Deferred[None]:
        now = self._seconds()
        writing = self._database.run(lambda connection: self._write(connection, records, now))
        return writing.addCallback(self._kept, now)

    def close(self) -> Deferred[None]:
        return succeed(None)

    def _write(self, connection: Connection, records: Sequence[AuditRecord], now: float) -> Linked:
        there = _count(connection, self._chain.id)
        if self._chain.count and not there:
            self._begin_anew()
        chain = self._chain
        if not chain.count:
            records = [self._first(connection), *records]
        links = chain.linked(records)
        # An earlier attempt may have been kept although the answer was lost.
        rows = [row_of(link) for link in links if link.seq > there]
        if rows:
            connection.execute(audit_events.insert(), rows)
            _anchor(connection, Anchor(chain.id, links[-1].seq, links[-1].hash), SQL, now)
        return links[-1]

    def _kept(self, last: Linked, at: float) -> None:
        self._chain.moved(last)
        self._written_at = at

    def _begin_anew(self) -> None:
        """All of this chain was cut, and it may be forgotten; if somebody else took it out, the next one says so."""
        former = self._chain
        self._former = {former.id: [former.count, former.head, round(self._written_at * 1_000_000)]}
        self._chain, self._opening = Chain(self._make_id()), None

    def _first(self, connection: Connection) -> AuditRecord:
        """Made once: it is the same in every attempt to write it."""
        if self._opening is None:
            self._opening = self._make_opening({**_heads(connection), **self._former})
        return self._opening


class AuditAnchors:
    """How far the chains of files have come, kept where the files are not."""

    def __init__(self, clock: Any, database: Database) -> None:
        self._seconds = clock.seconds
        self._database = database

    def note(self, anchor: Anchor) -> Deferred[None]:
        """It only ever goes forward: several processes write one file."""
        now = self._seconds()
        noting = self._database.run(lambda connection: _anchor(connection, anchor, FILE, now))
        return noting.addErrback(_raced)


def append(
    connection: Connection,
    opening: Callable[[dict[str, list[Any]]], AuditRecord],
    records: Iterable[AuditRecord],
    now: float,
) -> None:
    """
    Write records together with what they tell of, in a chain that begins and ends with them: for commands that
    change the database without a proxy.

    @param opening: as in L{AuditTable}.
    @param records: however many; a few at a time are in memory.
    """
    chain = Chain(uuid4().hex)
    coming = itertools.chain([opening(_heads(connection))], records)
    while batch := list(itertools.islice(coming, _AT_ONCE)):
        links = chain.linked(batch)
        connection.execute(audit_events.insert(), [row_of(link) for link in links])
        chain.moved(links[-1])
    _anchor(connection, chain.anchor(), SQL, now)


def _heads(connection: Connection) -> dict[str, list[Any]]:
    query = select(audit_chains).order_by(audit_chains.c.updated_at.desc(), audit_chains.c.id).limit(MENTIONED)
    return {row.id: [row.records, row.head, round(row.updated_at * 1_000_000)] for row in connection.execute(query)}


def _raced(reason: Any) -> None:
    # Two processes noted the first records of one chain at once: the next note is in order.
    reason.trap(IntegrityError)
    raise Unavailable("another process notes it") from None


def _anchor(connection: Connection, anchor: Anchor, kind: str, now: float) -> None:
    values = {"records": anchor.count, "head": anchor.head, "updated_at": now}
    mine = audit_chains.c.id == anchor.chain
    moved = connection.execute(
        audit_chains.update().where(mine, audit_chains.c.records < anchor.count).values(values)
    ).rowcount
    if not moved and connection.scalar(select(audit_chains.c.id).where(mine)) is None:
        new = {"id": anchor.chain, "kind": kind, "started_at": now}
        connection.execute(audit_chains.insert().values(new | values))


def _count(connection: Connection, chain: str) -> int:
    found: int | None = connection.scalar(select(func.max(audit_events.c.seq)).where(audit_events.c.chain == chain))
    return found or 0


def row_of(link: Linked) -> dict[str, Any]:
    record = link.record
    return {name: getattr(record, name) or None for name in TEXTS} | {
        "timestamp": record.timestamp / 1_000_000,
        "metadata": encode(dict(record.details)).decode("ascii") if record.details else None,
        "chain": link.chain,
        "seq": link.seq,
        "prev": link.prev,
        "hash": link.hash,
    }
