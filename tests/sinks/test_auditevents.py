"""Audit records as events."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.events import Event
from llmproxy.interfaces import IAuditSink
from llmproxy.sinks.auditevents import AuditEvents
from llmproxy.sinks.eventbus import EventBus

from .auditing import record


class AuditEventTests(SynchronousTestCase):
    def test_published(self) -> None:
        """Every record is published, under its own id."""
        bus = EventBus(Clock())
        got: list[Event] = []
        bus.subscribe(lambda events, sizes: got.extend(events))
        sink = AuditEvents(bus)
        self.assertTrue(verifyObject(IAuditSink, sink))
        self.successResultOf(sink.write([record("a"), record("b")]))
        self.successResultOf(sink.close())
        self.assertEqual([each.id for each in got], ["a", "b"])
        self.assertTrue(all(each.kind.startswith("audit.") for each in got))
