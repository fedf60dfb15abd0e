"""The file of the audit log, as a sink."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.internet.defer import execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.audit.chain import Anchor
from llmproxy.errors import ConfigError
from llmproxy.interfaces import IAuditSink
from llmproxy.sinks.auditfile import AuditFile
from llmproxy.sinks.auditfilesink import SYNC_AFTER, AuditFileSink, prepare

from .auditing import Disk, notes, record, verified


class AuditFileSinkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.disk = Disk()
        self.anchors: list[Anchor] = []
        self.path = self.mktemp()

    def sink(self, policy: str = "interval") -> AuditFileSink:
        file = AuditFile(self.path, notes().own, system=self.disk.system())
        return AuditFileSink(self.clock, file, execute, policy, self.anchors.append)

    def test_interface(self) -> None:
        verifyObject(IAuditSink, self.sink())

    def test_policies(self) -> None:
        """Each policy has the disk keep records when it says, and the end does but for never."""
        for policy, at_once, later, end in (("always", 1, 1, 2), ("interval", 0, 1, 2), ("never", 0, 0, 0)):
            self.disk.synced = 0
            sink = self.sink(policy)
            self.successResultOf(sink.write([record("a")]))
            self.assertEqual(self.disk.synced, at_once, policy)
            self.clock.advance(SYNC_AFTER)
            self.assertEqual(self.disk.synced, later, policy)
            self.successResultOf(sink.close())
            self.assertEqual((self.disk.synced, self.clock.getDelayedCalls()), (end, []), policy)

    def test_one_sync_for_many(self) -> None:
        """Several batches within a second are one visit to the disk."""
        sink = self.sink()
        for name in "abc":
            self.successResultOf(sink.write([record(name)]))
        self.clock.advance(SYNC_AFTER)
        self.assertEqual(self.disk.synced, 1)
        self.successResultOf(sink.write([record("d")]))
        self.successResultOf(sink.close())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_disk_that_does_not_sync(self) -> None:
        """With always, a record counts as kept when the disk says so, and is not written twice until it does."""
        sink = self.sink("always")
        self.disk.syncs = False
        self.failureResultOf(sink.write([record("a")]), OSError)
        self.failureResultOf(sink.write([record("a"), record("b")]), OSError)
        self.disk.syncs = True
        self.successResultOf(sink.write([record("a"), record("b"), record("c")]))
        content = Path(self.path).read_bytes()
        self.assertEqual([content.count(b'"id":"%s"' % name) for name in (b"a", b"b", b"c")], [1, 1, 1])
        self.assertEqual((verified(self.path).problems, self.anchors[-1].count), ([], 4))

    def test_sync_later_fails(self) -> None:
        """A disk that fails to sync in the background is reported."""
        sink = self.sink()
        self.successResultOf(sink.write([record("a")]))
        self.disk.syncs = False
        self.clock.advance(SYNC_AFTER)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_anchored(self) -> None:
        """Where the chain has come to is told after every batch that was kept."""
        sink = self.sink()
        self.successResultOf(sink.write([record("a")]))
        self.disk.room = 10
        self.failureResultOf(sink.write([record("b")]), OSError)
        self.assertEqual([anchor.count for anchor in self.anchors], [2])


class PrepareTests(SynchronousTestCase):
    def test_directory(self) -> None:
        """Its directory is made, or its absence told with the setting that would make it."""
        path = os.path.join(self.mktemp(), "deep", "audit.log")
        error = self.assertRaises(ConfigError, prepare, path, False)
        self.assertIn("AUDIT_CREATE_DIR=true", str(error))
        prepare(path, True)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)

    def test_cannot(self) -> None:
        """A place where no file can be is told in one line."""
        os.mkdir(path := self.mktemp())
        self.assertIn("Is a directory", str(self.assertRaises(ConfigError, prepare, path, True)))
