"""Tests of the ledger of one process."""

from __future__ import annotations

import os

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.ledger.entry import Entry
from llmproxy.core.ledger.settings import LedgerOptions
from llmproxy.errors import Unavailable
from llmproxy.interfaces import IHealthCheck
from llmproxy.ledger.ledger import STOPS_WITHIN, Ledger, Settles

from .fakes import OTHER, WRITER, FakeOwed, FakeRecords, a_record, at_once

MIB = 1024 * 1024


class LedgerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.directory = os.path.join(self.mktemp(), "ledger")
        self.records, self.owed = FakeRecords(), FakeOwed()
        self.done: list[str] = []

    def ledger(self, writer: str = WRITER, directory: str | None = "", options: LedgerOptions | None = None) -> Ledger:
        where = self.directory if directory == "" else directory
        ledger = Ledger(self.clock, writer, where, LedgerOptions() if options is None else options)
        ledger.start(
            Settles(
                "db",
                self.records,
                self.owed,
                self.written,
                lambda entry: entry,
                at_once,
                lambda: self.done.append(writer),
            )
        )
        self.addCleanup(ledger.stop)
        return ledger

    def written(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def test_interface(self) -> None:
        """It is asked by C{/ready}."""
        ledger = self.ledger()
        verifyObject(IHealthCheck, ledger)
        self.successResultOf(ledger.check())

    def test_settled(self) -> None:
        """An exchange is in the database within a second of its end, with what it is known by here."""
        ledger = self.ledger()
        record = a_record(counted=True)
        ledger.begin(record, leased=False)
        self.assertTrue(ledger.is_open(record))
        ledger.end(record)
        self.assertEqual((ledger.waiting, ledger.sequence), (1, 1))
        self.clock.advance(0.5)
        self.assertEqual((list(self.records.kept), ledger.waiting, ledger.oldest), ([record.entry_id], 0, 0.0))

    def test_waiting(self) -> None:
        """While the database is away it shows how much waits, and since when."""
        ledger = self.ledger()
        self.records.away = Unavailable("no")
        ledger.end(a_record())
        self.clock.advance(100)
        self.assertEqual((ledger.waiting, ledger.oldest), (1, 100.0))
        self.assertGreater(ledger.waiting_bytes, 100)
        self.successResultOf(ledger.check())

    def test_listeners(self) -> None:
        """Others in the process get each entry as it ends."""
        seen: list[Entry] = []
        ledger = self.ledger()
        ledger.listeners.append(seen.append)
        ledger.end(a_record(model="m"))
        self.assertEqual([each.model for each in seen], ["m"])

    def test_faults(self) -> None:
        """A fault of our own is logged and counted, and hurts no exchange."""
        ledger = self.ledger()
        record = a_record(attempts=object(), provider=object())
        ledger.begin(record, leased=False)
        ledger.end(record)
        self.assertEqual((len(self.flushLoggedErrors(TypeError)), ledger.lost, ledger.waiting), (2, 1, 0))

    def test_broken_listener(self) -> None:
        """One that raises hurts neither the exchange nor others."""
        seen: list[Entry] = []

        def broken(entry: Entry) -> None:
            raise ValueError("broken")

        ledger = self.ledger()
        ledger.listeners += [broken, seen.append]
        ledger.end(a_record())
        self.assertEqual((len(self.flushLoggedErrors(ValueError)), len(seen), ledger.waiting), (1, 1, 1))

    def test_stopped(self) -> None:
        """A stop settles everything and leaves no file, no thread and no timer."""
        ledger = self.ledger()
        ledger.end(a_record())
        self.successResultOf(ledger.stop())
        self.assertEqual((len(self.records.kept), os.listdir(self.directory)), (1, []))
        self.assertEqual((self.owed.forgotten, self.done, self.clock.getDelayedCalls()), ([WRITER], [WRITER], []))
        self.successResultOf(ledger.stop())

    def test_stopped_while_the_database_is_away(self) -> None:
        """What the database did not take stays in the file, and is settled at the next start; once."""
        ledger = self.ledger()
        self.records.held = Deferred()
        ledger.end(a_record())
        stopping = ledger.stop()
        self.clock.advance(STOPS_WITHIN)
        self.successResultOf(stopping)
        self.assertEqual(len(os.listdir(self.directory)), 1)
        self.records.held = None
        self.ledger(OTHER)
        self.assertEqual(len(self.records.kept), 1)
        self.assertEqual([name for name in os.listdir(self.directory) if WRITER in name], [])

    def test_killed(self) -> None:
        """What a process that was killed has left is settled by another one that runs, within a second."""
        other = self.ledger(OTHER)
        ledger = self.ledger()
        record = a_record()
        ledger.begin(record, leased=False)
        ledger.end(a_record())
        ledger._journal.close()
        self.clock.advance(1)
        self.assertEqual((sorted(self.records.endings()), other.interrupted), (["complete", "interrupted"], 1))

    def test_two_at_once(self) -> None:
        """Two processes on one directory have their own files, and let each other be."""
        for ledger in (self.ledger(), self.ledger(OTHER)):
            ledger.end(a_record())
        self.clock.advance(1)
        self.assertEqual((len(self.records.kept), len(os.listdir(self.directory))), (2, 2))

    def test_not_writable(self) -> None:
        """Where there can be no directory records go to the database directly; that is no reason to take no traffic."""
        with open(self.mktemp(), "w") as file:
            ledger = self.ledger(directory=file.name)
        ledger.end(a_record())
        self.clock.advance(1)
        self.assertEqual((len(self.records.kept), ledger.in_memory, ledger.lost), (1, True, 0))
        self.successResultOf(ledger.check())
        self.successResultOf(ledger.stop())

    def test_in_memory_by_choice(self) -> None:
        """A database in memory has no files beside it, and nothing to complain of."""
        ledger = self.ledger(directory=None)
        ledger.end(a_record())
        self.clock.advance(1)
        self.assertEqual((len(self.records.kept), ledger.in_memory, os.path.exists(self.directory)), (1, False, False))

    def test_bound(self) -> None:
        """Beyond the bound of waiting bytes exchanges go on; C{/ready} and a counter say that records are lost."""
        ledger = self.ledger(options=evolve(LedgerOptions(), most_waiting=MIB))
        self.records.away = Unavailable("no")
        large = a_record(user_agent="x" * 10_000)
        for _ in range(12_000):
            large.entry_id = ""
            ledger.end(large)
            if ledger.lost:
                break
        reason = self.failureResultOf(ledger.check(), Unavailable)
        self.assertIn("most_waiting", reason.getErrorMessage() + str(reason.value.description))
        kept = ledger.waiting
        self.records.away = None
        for _ in range(40):
            self.clock.advance(1)
        self.successResultOf(ledger.check())
        self.assertEqual((len(self.records.kept), ledger.lost, ledger.in_memory), (kept, 1, False))

    def test_before_the_start(self) -> None:
        """A proxy that has not started has nothing to stop."""
        ledger = Ledger(self.clock, WRITER, self.directory, LedgerOptions())
        self.successResultOf(ledger.flush())
        self.successResultOf(ledger.stop())
        self.assertFalse(os.path.exists(self.directory))
