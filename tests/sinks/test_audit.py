"""Who did what, on the way to every sink."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.delivery import DeliveryPolicy
from llmproxy.interfaces import IAuditLogger
from llmproxy.sinks.audit import AuditLog

from .auditing import Sink, notes

CANARY = "management-canary-token"


class AuditLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.one, self.two = Sink("one"), Sink("two")
        self.log = AuditLog(self.clock, notes(self.clock, [CANARY]), [self.one, self.two])

    def actions(self, sink: Sink) -> list[str]:
        self.clock.advance(DeliveryPolicy().gather_for)
        return [record.action for record in sink.kept]

    def test_interface(self) -> None:
        verifyObject(IAuditLogger, self.log)

    def test_every_sink(self) -> None:
        """Each sink gets the same records, and one that is away keeps no other from them."""
        self.one.answer = OSError("away")
        self.log.log("project.create", "carol", "success", project_id="p")
        self.assertEqual((self.actions(self.two), self.one.kept), (["project.create"], []))
        self.one.answer = None
        self.clock.advance(1)
        self.assertEqual(self.one.kept, self.two.kept)
        self.assertEqual(self.two.kept[0].timestamp, 1_700_000_000_000_000)

    def test_begin_and_end(self) -> None:
        """When the proxy started and stopped stands in its log."""
        self.log.start()
        self.log.log("project.create", "carol", "success")
        self.successResultOf(self.log.stop())
        self.assertEqual([each.action for each in self.one.kept], ["audit.start", "project.create", "audit.stop"])
        self.assertIn("pid", self.one.kept[0].details)
        self.assertEqual((self.one.closed, self.two.closed), (1, 1))

    def test_no_secrets(self) -> None:
        """A secret that slips through is in no record, wherever it stood."""
        details: dict[str, Any] = {
            "api_key": "sk-upstream-canary-1",
            "endpoint": f"/manage/tokens/{CANARY}",
            "user_agent": "sk-proxy-canary-123456",
            "request_id": CANARY,
            "changed": {"password": "canary-2", CANARY: 1},
        }
        self.log.log("project.update", "carol", "success", **details)
        self.clock.advance(DeliveryPolicy().gather_for)
        self.assertNotIn("canary", repr(self.one.kept))
        self.assertEqual(len(self.one.kept), 1)

    def test_flood(self) -> None:
        """A thousand attempts of a stranger are two records: the first one, and how many followed."""
        for _ in range(1000):
            self.log.log("admin.access", "anonymous", "denied", client_ip="1.2.3.4", error="invalid management token")
            self.clock.advance(0.001)
        self.clock.advance(60)
        self.clock.advance(DeliveryPolicy().gather_for)
        first, rest = self.one.kept
        self.assertEqual((first.client_ip, rest.client_ip), ("1.2.3.4", "1.2.3.4"))
        self.assertEqual((rest.details["repeated"], rest.reason), (999, "invalid management token"))
        self.assertTrue(rest.details["first"] < rest.details["last"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_flood_at_the_end(self) -> None:
        """What was counted and not yet told is told before the log ends."""
        for _ in range(3):
            self.log.log("audit.list", "carol", "success")
        self.successResultOf(self.log.stop())
        self.assertEqual([each.details.get("repeated") for each in self.one.kept], [None, 2])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_never_raises(self) -> None:
        """Whoever notes something is not to suffer from what he notes; that it could not be noted is reported."""

        class Odd:
            def __str__(self) -> str:
                raise ZeroDivisionError

        self.log.log("project.create", "carol", "success", odd=Odd())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.actions(self.one), [])
