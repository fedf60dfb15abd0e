"""Tests for L{llmproxy.store.auditretention}; L{tests.contracts.auditcuts} has what it makes of the tables."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import Unavailable
from llmproxy.store import auditretention
from llmproxy.store.auditcuts import BATCH
from llmproxy.store.auditretention import AuditRetention

from ..contracts.auditcuts import Process
from .databases import clock_at, opened


class AuditRetentionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = opened(self, clock=self.clock)
        self.mine = Process(self.clock, self.database, "mine")

    def write(self, count: int) -> None:
        for number in range(count):
            self.clock.advance(0.001)
            self.mine.log("token.create", "ada", "success", number=number)
        self.successResultOf(self.mine.flush())

    def rows(self) -> int:
        found = self.successResultOf(
            self.database.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM audit_events"))
        )
        return int(found.scalar())

    def test_bounded(self) -> None:
        """A round takes out so many rows at most, each transaction fewer; the next one goes on."""
        self.write(1)
        self.write(4 * BATCH)
        self.patch(auditretention, "MOST_BATCHES", 2)
        retention = AuditRetention(self.clock, self.database, self.mine, BATCH)
        counts = []
        for _ in range(3):
            before = self.rows()
            self.successResultOf(Deferred.fromCoroutine(retention.cut()))
            counts.append(before - self.rows())
        self.assertLessEqual(max(counts), 2 * BATCH)
        self.assertEqual(self.rows(), BATCH + 1)

    def test_stopping(self) -> None:
        """A proxy that stops does not wait for it; what was begun is finished by the next."""
        self.write(1)
        self.write(3 * BATCH)
        retention = AuditRetention(self.clock, self.database, self.mine, BATCH)
        self.successResultOf(retention.stop())
        self.successResultOf(Deferred.fromCoroutine(retention.cut()))
        self.assertGreater(self.rows(), 3 * BATCH)
        retention = AuditRetention(self.clock, self.database, self.mine, BATCH)
        self.successResultOf(Deferred.fromCoroutine(retention.cut()))
        self.assertEqual(self.rows(), BATCH + 1)

    def test_record_first(self) -> None:
        """Nothing goes while the record that says so cannot be written."""
        self.write(1)
        self.write(2 * BATCH)

        class Stuck:
            def log(self, *_: Any, **more: Any) -> None:
                pass

            def flush(self) -> Deferred[None]:
                return succeed(None)

        self.successResultOf(Deferred.fromCoroutine(AuditRetention(self.clock, self.database, Stuck(), BATCH).cut()))
        self.assertEqual(self.rows(), 2 * BATCH + 2)
        self.patch(self.database, "read", lambda _: fail(Unavailable("away")))
        retention = AuditRetention(self.clock, self.database, self.mine, BATCH)
        self.failureResultOf(Deferred.fromCoroutine(retention.cut()), Unavailable)
