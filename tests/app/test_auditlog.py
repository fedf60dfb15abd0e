"""The audit log put together, over a real database and a real file."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.auditlog import Auditing
from llmproxy.core.audit.search import AuditFilter
from llmproxy.core.audit.settings import AuditOptions
from llmproxy.errors import ConfigError
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.store.auditlinks import anchors_of
from llmproxy.store.threads import NoThreads

from ..sinks.auditing import verified
from ..store.databases import clock_at, opened

CANARY = "management-canary-token"


class AuditingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = opened(self, clock=self.clock)
        self.path = os.path.join(self.mktemp(), "audit.log")

    def make(self, **options: Any) -> Auditing:
        settings = AuditOptions(**{"file": self.path, **options})
        return Auditing(self.clock, self.database, settings, [CANARY], NoThreads)

    def stop(self, auditing: Auditing) -> None:
        self.successResultOf(Deferred.fromCoroutine(auditing.stop()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def anchors(self) -> Any:
        return self.successResultOf(self.database.read(anchors_of))

    def test_both(self) -> None:
        """A record is in the file and in the database, and the end of the file is anchored in the database."""
        auditing = self.make()
        auditing.start()
        auditing.log.log("project.create", "carol", "success", project_id="p", api_key=CANARY)
        assert auditing.trail is not None
        self.successResultOf(auditing.log.flush())
        (link,) = self.successResultOf(auditing.trail.rows(0, 9, AuditFilter(actor="carol")))
        self.assertEqual(link.record.project_id, "p")
        self.stop(auditing)
        (anchor,) = self.anchors()["file"]
        report = verified(self.path, anchors=[anchor])
        self.assertEqual((report.problems, report.records, anchor.count), ([], 4, 4))
        with open(self.path) as file:
            self.assertNotIn(CANARY, file.read())

    def test_no_directory(self) -> None:
        """A default file that cannot be made is gone without, as it is said; one that was asked for is an error."""
        no = "/proc/none/audit.log"
        self.assertRaises(ConfigError, self.make, file=no)
        os.makedirs(self.path)
        self.assertRaises(ConfigError, self.make, is_default=True)
        for in_database, sinks in ((True, ["sql"]), (False, ["stdout"])):
            auditing = self.make(file=no, is_default=True, in_database=in_database)
            self.assertEqual([each.name for each in auditing.log.queues], sinks, (in_database, sinks))
        self.assertEqual([each.name for each in self.make(file="-").log.queues], ["stdout", "sql"])

    def test_again(self) -> None:
        """A restart continues the file, and begins a chain of its own in the database that names the others."""
        for _ in range(2):
            auditing = self.make()
            auditing.start()
            self.stop(auditing)
        self.assertEqual((len(self.anchors()["file"]), len(self.anchors()["sql"])), (1, 2))
        self.assertEqual(verified(self.path, anchors=self.anchors()["file"]).problems, [])

    def test_one_of_them(self) -> None:
        """Either alone: without the database nothing can be asked for, and the end of the file is anchored still."""
        auditing = self.make(in_database=False)
        auditing.start()
        self.stop(auditing)
        self.assertIsNone(auditing.trail)
        self.assertEqual(list(self.anchors()), ["file"])
        auditing = self.make(file=None)
        auditing.start()
        self.stop(auditing)
        self.assertEqual(sorted(self.anchors()), ["file", "sql"])

    def test_never_started(self) -> None:
        """A proxy that could not start stops at once."""
        self.stop(self.make())

    def test_no_place(self) -> None:
        """A file that cannot be is found at the start, not at the first record."""
        self.assertRaises(ConfigError, self.make, create_directory=False)

    def test_metrics(self) -> None:
        """What was kept, lost and waits can be watched, by sink."""
        auditing, metrics = self.make(), ProxyMetrics()
        auditing.show(metrics)
        auditing.start()
        self.assertEqual(metrics.gauges["llmproxy_audit_sql_waiting"][1](), 1)
        self.successResultOf(auditing.log.flush())
        self.assertEqual(metrics.counters["llmproxy_audit_file_written"][1](), 1)
        self.assertEqual(metrics.counters["llmproxy_audit_file_lost"][1](), 0)
        self.stop(auditing)
