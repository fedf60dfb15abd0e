"""Audit records as events, for sinks that ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..core.events.notices import event_of_audit
from ..interfaces import IAuditSink

if TYPE_CHECKING:
    from ..core.audit.record import AuditRecord
    from .eventbus import EventBus


@implementer(IAuditSink)
class AuditEvents:
    """The bus has queues of its own, so that it takes every record at once."""

    name = "events"

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus

    def write(self, records: Sequence[AuditRecord]) -> Deferred[None]:
        self._bus.publish([event_of_audit(record) for record in records])
        return succeed(None)

    def close(self) -> Deferred[None]:
        return succeed(None)
