"""Tests of the syncing of segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.ledger.files import LedgerFiles
from llmproxy.ledger.journal import Journal
from llmproxy.ledger.syncing import Syncing

from .fakes import WRITER, a_record, at_once


class SyncingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        files = LedgerFiles(self.mktemp(), 64 * 1024 * 1024)
        files.prepare()
        self.journal = Journal(WRITER, "db", lambda number, least: files.new_segment(WRITER, number, least))
        self.addCleanup(self.journal.close)
        self.calls: list[Any] = []
        self.held: Deferred[Any] | None = None

    def run_there(self, call: Callable[[], Any]) -> Deferred[Any]:
        self.calls.append(call)
        return at_once(call) if self.held is None else self.held

    def syncing(self, every: float | None = 1.0) -> Syncing:
        syncing = Syncing(self.clock, self.journal, every, self.run_there)
        syncing.start()
        self.addCleanup(syncing.stop)
        return syncing

    def test_each_second(self) -> None:
        """The disk has what is older than a second; where nothing was written it is left alone."""
        self.syncing()
        self.clock.advance(1)
        self.journal.end(a_record())
        self.assertEqual((len(self.calls), len(self.journal.unsynced())), (1, 1))
        self.clock.advance(1)
        self.assertEqual((len(self.calls), self.journal.unsynced()), (2, []))
        self.clock.advance(10)
        self.assertEqual(len(self.calls), 2)

    def test_never(self) -> None:
        """With C{fsync: 0} the operating system decides."""
        syncing = self.syncing(None)
        self.successResultOf(syncing.sync())
        self.assertEqual((self.calls, self.clock.getDelayedCalls()), ([], []))

    def test_slow_disk(self) -> None:
        """A disk that takes long is not asked by many at once; what comes meanwhile is synced afterwards."""
        held: Deferred[None] = Deferred()
        self.held = held
        self.syncing()
        for _ in range(10):
            self.clock.advance(1)
        self.assertEqual(len(self.calls), 1)
        self.journal.end(a_record())
        self.held = None
        held.callback(None)
        self.assertEqual(self.journal.unsynced(), [])

    def test_failing_disk(self) -> None:
        """What the disk did not take is tried again, and counted."""
        syncing = self.syncing()
        self.held = Deferred()
        self.held.errback(OSError(5, "Input/output error"))
        self.clock.advance(1)
        self.assertEqual((syncing.failed, len(self.journal.unsynced())), (1, 1))
        self.held = None
        self.clock.advance(1)
        self.assertEqual((syncing.failed, self.journal.unsynced()), (1, []))

    def test_stop(self) -> None:
        """The last of it is on the disk when it has stopped, and no timer is left."""
        syncing = self.syncing()
        self.journal.end(a_record())
        self.assertIsNone(self.successResultOf(syncing.stop()))
        self.assertEqual((self.journal.unsynced(), self.clock.getDelayedCalls()), ([], []))
