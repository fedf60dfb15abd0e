"""Interfaces of sinks for exchanges, of audit loggers, and of health."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from ..message import Page, Record

if TYPE_CHECKING:
    from ..core.audit.chain import Linked
    from ..core.audit.record import AuditRecord
    from ..core.audit.search import AuditFilter
    from ..core.audit.verify import Report


class IRecordSink(Interface):
    """Wants every L{Record}."""

    def record_batch(records: Sequence[Record]) -> None:
        """
        Take note of C{records}, in the order in which their exchanges ended; called off the path of
        any request. Must not block. What it raises is reported and hurts no other sink.
        """


class IAuditLogger(Interface):
    """Writes who did what."""

    def log(action: str, actor: str, outcome: str, **details: object) -> None:
        """
        Note one event; must not block, and does not raise.

        @param action: C{project.create}, for example.
        @param actor: who did it.
        @param outcome: C{success}, C{failure}, C{denied} or C{error}.
        @param details: what L{llmproxy.core.audit.record.AuditRecord} has a field for becomes it (C{http_method} and
            C{endpoint} are C{method} and C{path}, C{error} is the reason where there is no other); no secrets.
        """


class IAuditSink(Interface):
    """Keeps audit records for good."""

    name = Attribute("what metrics and logs call it, a word")

    def write(records: Sequence[AuditRecord]) -> Deferred[None]:
        """
        Keep C{records}, in their order, before the Deferred fires.

        It is called again only when it has fired. After a failure it is called again with the same records first,
        and maybe more behind them; those that were kept all the same are not kept twice.
        """

    def close() -> Deferred[None]:
        """Close what is open; nothing is written any more."""


class IAuditTrail(Interface):
    """Audit records that can be asked for."""

    def page(limit: int, after: str | None, wanted: AuditFilter) -> Deferred[Page[Linked]]:
        """
        At most C{limit} of them, the latest first, by keyset; see L{llmproxy.interfaces.ITokenStore.page}.

        @raise ValueError: C{after} is not one that a page gave out, or C{limit} is below 1; at once.
        """

    def rows(offset: int, limit: int, wanted: AuditFilter) -> Deferred[list[Linked]]:
        """The same by their number, from 0: what is far behind costs more."""

    def count(wanted: AuditFilter) -> Deferred[int]:
        """How many there are."""

    def get(record_id: str) -> Deferred[Linked | None]:
        """One of them."""

    def verify() -> Deferred[Report]:
        """What is wrong with all of them: each is read, which takes its time."""


class IHealthCheck(Interface):
    """One dependency that C{/ready} asks about."""

    name = Attribute("what C{/ready} calls it")

    def check() -> Deferred[None]:
        """Fire if it works; fail with a reason that may be shown to operators."""
