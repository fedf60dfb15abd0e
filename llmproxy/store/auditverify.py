"""Verification of the audit records in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..core.audit.cuts import Cuts, Mention
from ..core.audit.verify import Report, Verifier
from .auditlinks import anchors_of, cuts_of, links_of, mentions_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.audit.chain import Anchor, Linked

FILE, SQL = "file", "sql"
"""Kinds of chains."""


def _nothing(link: Linked) -> None:
    pass


def verify_table(
    connection: Connection, given: Iterable[Anchor] = (), seen: Callable[[Linked], object] = _nothing
) -> tuple[Report, Cuts]:
    """
    Read every record that is there, in a bounded amount of memory.

    @param given: what is known from elsewhere of how far chains have come.
    @param seen: called with each record.
    @return: what is wrong, and what was taken out on purpose.
    """
    known = anchors_of(connection)
    files = {anchor.chain for anchor in known.get(FILE, [])}
    others = [each for each in (*mentions_of(connection), *map(Mention, given)) if each.anchor.chain not in files]
    cuts = Cuts(cut for _, cut in cuts_of(connection))
    verifier = Verifier(known.get(SQL, []), mentions=others, cuts=cuts)
    for link in links_of(connection):
        verifier.record(f"audit_events {link.record.id}", link)
        seen(link)
    return verifier.finish(), cuts
