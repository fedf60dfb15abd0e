"""Tests of the adoption of what dead processes have left."""

from __future__ import annotations

import os
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.entry import Entry
from llmproxy.core.quotas import Settlement
from llmproxy.errors import Unavailable
from llmproxy.ledger.adoption import Adoption, masked_with
from llmproxy.ledger.files import LedgerFiles
from llmproxy.ledger.journal import Journal, decoded
from llmproxy.record import Attribution

from .fakes import OTHER, WRITER, FakeOwed, FakeRecords, a_record, at_once


class AdoptionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.files = LedgerFiles(self.mktemp(), 64 * 1024 * 1024)
        self.files.prepare()
        self.files.size = 64 * 1024
        self.records, self.owed = FakeRecords(), FakeOwed()
        self.adoption = self.adopting()

    def adopting(self, own: str = WRITER) -> Adoption:
        masked = lambda entry: replace(entry, user_agent="[masked]")  # noqa: E731
        return Adoption(self.files, own, "db", self.records, self.owed, masked, at_once)

    def writer(self, database: str = "db", writer: str = OTHER) -> Journal:
        """A process that lives until L{die}."""
        return Journal(writer, database, lambda number, least: self.files.new_segment(writer, number, least))

    def die(self, journal: Journal) -> None:
        """What a killed process leaves behind is what stands in its files."""
        journal.close()

    def look(self) -> None:
        self.successResultOf(self.adoption.look())

    def test_dead(self) -> None:
        """What has ended is settled as it was, what was under way as interrupted; then nothing is left."""
        journal = self.writer()
        ended, running = a_record(counted=True), a_record(counted=True, user_agent="key-123")
        for each in (ended, running):
            journal.begin(each, used=True, leased=True)
        journal.end(ended)
        self.die(journal)
        self.look()
        self.assertEqual(self.records.endings(), ["complete", "interrupted"])
        self.assertEqual(self.records.kept[running.entry_id].user_agent, "[masked]")
        self.assertEqual(self.owed.settled, [Settlement("t", 2, 2, running.started_at, 2)])
        self.assertEqual((self.owed.forgotten, os.listdir(self.files.directory)), ([OTHER], []))
        self.assertEqual((self.adoption.interrupted, self.adoption.adopted, self.adoption.waiting), (1, 1, 0))

    def test_living(self) -> None:
        """Nobody touches the files of one that lives."""
        journal = self.writer()
        journal.end(a_record())
        self.look()
        self.assertEqual((self.records.kept, len(os.listdir(self.files.directory))), ({}, 1))
        self.die(journal)
        self.look()

    def test_own(self) -> None:
        """Nor one's own."""
        journal = self.writer(writer=WRITER)
        journal.end(a_record())
        journal.close()
        self.look()
        self.assertEqual(self.records.kept, {})

    def test_uses_that_were_written(self) -> None:
        """Of uses only those are owed that were not written down before."""
        journal = self.writer()
        for _ in range(3):
            journal.begin(a_record(), used=True, leased=False)
        self.owed.written[OTHER] = {"t": 2}
        self.die(journal)
        self.look()
        self.assertEqual([(each.used, each.released) for each in self.owed.settled], [(1, 0)])

    def test_cut_anywhere(self) -> None:
        """Wherever the process was killed while it wrote: what it had finished is settled, once, and nothing else."""
        journal = self.writer()
        record = a_record()
        journal.begin(record, used=True, leased=False)
        [path] = self.files.segments(OTHER)
        begun = journal._current.end
        journal.end(record)
        end = journal._current.end
        self.die(journal)
        with open(path, "rb") as file:
            whole = file.read()
        for cut in range(begun, end + 1, 7):
            self.records, self.owed = FakeRecords(), FakeOwed()
            with open(path, "wb") as file:
                file.write(whole[:cut] + bytes(len(whole) - cut))
            self.adoption = self.adopting()
            self.look()
            self.assertEqual(self.records.endings(), ["complete" if cut == end else "interrupted"], cut)
            self.assertEqual([each.used for each in self.owed.settled], [1], cut)

    def test_crash_while_adopting(self) -> None:
        """One that dies while it settles for another one leaves it to the next: nothing is there twice."""
        journal = self.writer()
        for _ in range(5):
            journal.begin(record := a_record(), used=True, leased=False)
            journal.end(record)
        self.die(journal)
        self.adoption._files = _Unremovable(self.files)  # type: ignore[assignment]
        self.look()
        kept = dict(self.records.kept)
        self.assertEqual((len(kept), len(self.owed.settled)), (5, 1))
        self.adoption = self.adopting()
        self.look()
        self.assertEqual((self.records.kept, len(self.owed.settled)), (kept, 1))
        self.assertEqual(os.listdir(self.files.directory), [])

    def test_database_away(self) -> None:
        """What cannot be settled stays, and is settled the next time; the lock is free meanwhile."""
        journal = self.writer()
        journal.end(a_record())
        self.die(journal)
        self.records.away = Unavailable("no")
        self.look()
        lock = self.files.take(OTHER)
        assert lock is not None
        os.close(lock)
        self.records.away = None
        self.look()
        self.assertEqual((len(self.records.kept), os.listdir(self.files.directory)), (1, []))

    def test_other_database(self) -> None:
        """What was noted for another database is left to those who use that one."""
        journal = self.writer("another")
        journal.end(a_record())
        self.die(journal)
        self.look()
        self.assertEqual((self.records.kept, len(os.listdir(self.files.directory))), ({}, 1))

    def test_several_segments(self) -> None:
        """One that went on in a next file is one exchange, however many files it stands in."""
        journal = self.writer()
        running = a_record()
        journal.begin(running, used=True, leased=False)
        while len(self.files.segments(OTHER)) < 4:
            journal.end(a_record(user_agent="x" * 3000))
        self.die(journal)
        self.look()
        self.assertEqual(self.records.endings().count("interrupted"), 1)
        self.assertEqual(self.records.endings().count("complete"), journal.sequence - 1)
        self.assertEqual([each.used for each in self.owed.settled], [1])

    def test_nothing_written(self) -> None:
        """One that was killed before it wrote anything leaves nothing to settle."""
        self.files.new_segment(OTHER, 1).close()
        self.look()
        self.assertEqual((self.records.kept, os.listdir(self.files.directory)), ({}, []))

    def test_stopped(self) -> None:
        """A proxy that stops begins nothing; what it had begun is done by another one."""
        journal = self.writer()
        journal.end(a_record())
        self.die(journal)
        self.adoption.stop()
        self.look()
        self.assertEqual((self.records.kept, len(self.files.segments(OTHER))), ({}, 1))

    def test_one_look_at_a_time(self) -> None:
        """While one is being settled nobody else looks; who asks waits until that is done."""
        journal = self.writer()
        journal.end(a_record())
        self.die(journal)
        held: Deferred[None] = Deferred()
        self.records.held = held
        first, second = self.adoption.look(), self.adoption.look()
        self.assertNoResult(first)
        self.assertNoResult(second)
        self.assertGreater(self.adoption.waiting, 0)
        self.records.held = None
        held.callback(None)
        self.successResultOf(first)
        self.successResultOf(second)


class _Unremovable:
    """Files of which none is removed, as by a process that dies before that."""

    def __init__(self, files: LedgerFiles) -> None:
        self._files = files

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def remove(self, writer: str) -> None:
        raise OSError("killed")


class MaskedTests(SynchronousTestCase):
    def test_masked(self) -> None:
        """What clients have said is masked, what the proxy has said is not."""
        asked = Attribution("sk-1", "s", "p", {"sk-1": "sk-1"}, {"k": "sk-1"})
        journal = Journal(WRITER, "db", None)
        entry = decoded(journal.end(a_record(user_agent="sk-1", endpoint="sk-1", attribution=asked)))
        masked = masked_with(lambda text: text.replace("sk-1", "*"), ["user_agent", "user", "model"])(entry)
        self.assertEqual(
            (masked.user_agent, masked.user, masked.tags, masked.metadata), ("*", "*", {"*": "*"}, {"k": "*"})
        )
        self.assertEqual((masked.endpoint, masked.id), ("sk-1", entry.id))
        self.assertIsInstance(masked, Entry)
