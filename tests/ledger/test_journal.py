"""Tests of the journal of one process."""

from __future__ import annotations

import os
import shutil

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.frames import frames
from llmproxy.core.ledger.replay import Replay
from llmproxy.ledger import segment as segments
from llmproxy.ledger.files import LedgerFiles, NoRoom
from llmproxy.ledger.journal import LONGEST, MOST_IN_MEMORY, Journal, decoded
from llmproxy.ledger.segment import Segment
from llmproxy.record import Attribution
from llmproxy.usage import Usage
from tests.tables import row

from .fakes import WRITER, a_record

MIB = 1024 * 1024
BIG = {"user_agent": "x" * 3000}


class JournalTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.files = LedgerFiles(self.mktemp(), 64 * MIB)
        self.files.prepare()
        self.files.size = 64 * 1024
        self.full: Exception | None = None
        self.journal = Journal(WRITER, "db", self.segment)
        self.addCleanup(lambda: self.journal.close())

    def segment(self, number: int, least: int) -> Segment:
        if self.full is not None:
            raise self.full
        return self.files.new_segment(WRITER, number, least)

    def read(self) -> tuple[Replay, list[str]]:
        """What another process would find that reads the files now: open ones, and how those ended that have."""
        replay, endings = Replay(), []
        for path in self.files.segments(WRITER):
            with open(path, "rb") as file:
                contents = [(kind, content) for kind, content, _ in frames(file.read())]
            endings += [entry.ending for entry in replay.feed(contents)]
        return replay, endings

    def settle_all(self) -> int:
        settled = 0
        while (batch := self.journal.unsettled(50)) is not None:
            self.journal.settled(batch)
            settled += len(batch.entries)
        return settled

    def test_parts(self) -> None:
        """A batch can be read a part at a time, over several files; each exchange is in it once, in their order."""
        for number in range(120):
            self.journal.end(a_record(model=f"m{number}", **BIG))
        self.assertGreater(len(self.files.segments(WRITER)), 2)
        batch = self.journal.unsettled(50)
        assert batch is not None
        counts = [len(batch.entries)]
        for most in (70, 70, 500):
            self.journal.unsettled(most, batch)
            counts.append(len(batch.entries))
        self.assertEqual(counts, [50, 70, 70, 120])
        self.assertEqual([entry.model for entry in batch.entries], [f"m{number}" for number in range(120)])
        self.journal.settled(batch)
        self.assertEqual((self.journal.waiting, self.journal.unsettled(50)), (0, None))

    def test_behind_many(self) -> None:
        """One that has ended is found behind however many that go on."""
        self.files.size = MIB
        self.patch(segments, "READ_AT_ONCE", 16 * 1024)
        last = a_record(model="last")
        for record in (*(a_record(**BIG) for _ in range(40)), last):
            self.journal.begin(record, used=False, leased=False)
        self.journal.end(last)
        batch = self.journal.unsettled(50)
        assert batch is not None
        self.assertEqual([entry.model for entry in batch.entries], ["last"])

    def test_life(self) -> None:
        """One that has begun is interrupted until it ends; then it is what it was, once."""
        record = a_record()
        self.journal.begin(record, used=True, leased=False)
        replay, endings = self.read()
        [entry] = replay.open.values()
        self.assertEqual((entry.ending, entry.token_id, entry.ended_at, endings), ("interrupted", "t", None, []))
        record.duration = 2.0
        self.journal.end(record)
        replay, endings = self.read()
        self.assertEqual((replay.open, endings), ({}, ["complete"]))
        self.assertEqual(self.journal.waiting, 1)

    def test_learnt(self) -> None:
        """What is known later is of one that is interrupted, too; it has used up one request all the same."""
        record = a_record(counted=True)
        self.journal.begin(record, used=True, leased=True)
        record.model = "m-1"
        self.journal.learn(record)
        replay, _ = self.read()
        [entry] = replay.open.values()
        self.assertEqual((entry.model, entry.ending, entry.counted), ("m-1", "interrupted", True))
        self.assertEqual([each.count for each in replay.uses.of("t")], [1])
        while len(self.files.segments(WRITER)) < 2:
            self.journal.end(a_record(**BIG))
        self.settle_all()
        for segment in self.journal.spent():
            self.journal.remove(segment)
        [entry] = self.read()[0].open.values()
        self.assertEqual(entry.model, "m-1")
        self.journal.end(record)
        before = self.journal.waiting
        self.journal.learn(record)
        self.assertEqual((self.read()[0].open, self.journal.waiting), ({}, before))

    def test_never_begun(self) -> None:
        """A refusal or a hit has ended without having gone on."""
        entry = decoded(self.journal.end(a_record(status=403, ended="refused")))
        self.assertEqual(self.read()[1], ["refused"])
        self.assertEqual(len(entry.id), 32)

    def test_ids(self) -> None:
        """Each has another one, and what is noted later has a later sequence."""
        before = self.journal.sequence
        ids = {decoded(self.journal.end(a_record())).id for _ in range(100)}
        self.assertEqual((len(ids), self.journal.sequence - before), (100, 100))

    def test_given_back(self) -> None:
        """A use that was given back is owed by nobody, and the record says that it does not count."""
        record = a_record(counted=True)
        self.journal.begin(record, used=True, leased=True)
        self.assertTrue(self.journal.is_open(record))
        self.journal.give_back(record, leased=True)
        replay, _ = self.read()
        self.assertEqual([each.counted for each in replay.open.values()], [False])
        self.assertEqual([(each.count, each.leased) for each in replay.uses.of("t")], [(1, True), (-1, True)])

    def test_sent_once_more(self) -> None:
        """After that it may be sent again: it is the same exchange, and counts."""
        record = a_record(counted=True)
        self.journal.begin(record, used=True, leased=False)
        self.journal.give_back(record, leased=False)
        known = record.entry_id
        self.journal.begin(record, used=True, leased=False)
        self.assertEqual(record.entry_id, known)
        replay, _ = self.read()
        self.assertEqual([each.counted for each in replay.open.values()], [True])
        self.assertEqual(sum(each.count for each in replay.uses.of("t")), 1)

    def test_spent_when_the_client_had_left(self) -> None:
        """What is spent for a client that has left meanwhile has a record of its own, and is not open for ever."""
        record = a_record(ended="client_left")
        self.journal.end(record)
        record.counted = True
        self.journal.begin(record, used=True, leased=False)
        replay, endings = self.read()
        self.assertEqual((replay.open, endings), ({}, ["client_left", "client_left"]))
        self.assertEqual(sum(each.count for each in replay.uses.of("t")), 1)
        self.assertFalse(self.journal.is_open(record))

    def test_next_segment(self) -> None:
        """What is open stands in the next file again: the one before can go without it."""
        running = a_record(counted=True)
        self.journal.begin(running, used=True, leased=False)
        while len(self.files.segments(WRITER)) < 3:
            self.journal.end(a_record(**BIG))
        count = self.settle_all()
        spent = self.journal.spent()
        self.assertEqual((len(spent), self.journal.waiting, self.journal.waiting_bytes), (2, 0, 0))
        for each in spent:
            self.journal.remove(each)
        replay, _ = self.read()
        self.assertEqual([each.id for each in replay.open.values()], [running.entry_id])
        self.assertGreater(count, 20)
        self.journal.end(running)
        self.assertEqual(self.settle_all(), 1)

    def test_many_open(self) -> None:
        """However many are running, the next file has room for them and for what comes."""
        for _ in range(300):
            self.journal.begin(a_record(**BIG), used=True, leased=False)
        replay, _ = self.read()
        self.assertEqual((len(replay.open), self.journal.running, self.journal.lost), (300, 300, 0))

    def test_in_batches(self) -> None:
        """The database gets so many at a time, each once, in their order."""
        ids = [decoded(self.journal.end(a_record())).id for _ in range(120)]
        found = []
        while (batch := self.journal.unsettled(50)) is not None:
            self.assertLessEqual(len(batch.entries), 50)
            found += [entry.id for entry in batch.entries]
            self.journal.settled(batch)
        self.assertEqual(found, ids)

    def test_not_taken(self) -> None:
        """What the database did not take comes again, in front of what came since."""
        first = decoded(self.journal.end(a_record()))
        self.assertEqual(self.journal.oldest_at, first.ended_at)
        self.journal.unsettled(50)
        self.journal.end(a_record())
        batch = self.journal.unsettled(50)
        assert batch is not None
        self.assertEqual([entry.id for entry in batch.entries][:1], [first.id])
        self.journal.settled(batch)
        self.assertIsNone(self.journal.oldest_at)

    def test_too_long(self) -> None:
        """An entry with texts of any length is kept with short ones."""
        long = "ü" * 100_000
        tags = {f"{number}{long}": long for number in range(50)}
        record = a_record(user_agent=long, attribution=Attribution(long, long, long, tags, tags))
        self.journal.begin(record, used=True, leased=False)
        entry = decoded(self.journal.end(record))
        self.assertTrue(entry.user_agent.startswith("üü"))
        self.assertEqual(self.read()[1], ["complete"])
        self.assertLess(self.journal.waiting_bytes, 4 * LONGEST)

    def test_what_cannot_be_written(self) -> None:
        """Half a character, and a number that no provider means, cost an exchange neither its record nor its answer."""
        odd = Usage(10**30, output_tokens=7, served_model="m\ud800", raw={"n": 10**400, "t": "\ud800"})
        asked = Attribution("u\udfff", tags={"\ud800": "\ud800"})
        record = a_record(usage=odd, model="\ud800", attribution=asked, user_agent="\ud800")
        self.journal.begin(record, used=True, leased=False)
        entry = decoded(self.journal.end(record))
        self.assertEqual((entry.model, entry.input_tokens, entry.output_tokens), ("?", None, 7))
        self.assertEqual((entry.tags, entry.user, self.read()[1]), ({"?": "?"}, "u?", ["complete"]))

    def test_disk_full(self) -> None:
        """Where no file can be made, what comes waits in memory, and in a file again as soon as there is one."""
        self.full = OSError(28, os.strerror(28))
        while self.journal.is_on_disk:
            self.journal.end(a_record(**BIG))
        self.assertEqual((self.journal.why, self.journal.lost), ("No space left on device", 0))
        kept_in_files = len(self.read()[1])
        self.assertEqual(self.journal.waiting, kept_in_files + 1)
        self.journal.improve()
        self.assertFalse(self.journal.is_on_disk)
        running = a_record()
        self.journal.begin(running, used=True, leased=False)
        self.full = None
        self.journal.improve()
        self.assertTrue(self.journal.is_on_disk)
        self.assertEqual([each.id for each in self.read()[0].open.values()], [running.entry_id])
        self.assertEqual(self.settle_all(), kept_in_files + 1)

    def test_removed(self) -> None:
        """A file that somebody has removed, alone or with its directory, is noticed, and followed by another one."""
        for name, remove in (
            ("directory", lambda: shutil.rmtree(self.files.directory)),
            ("file", lambda: os.unlink(self.files.segments(WRITER)[-1])),
        ):
            with row(name):
                running = a_record()
                self.journal.begin(running, used=True, leased=False)
                self.journal.end(a_record())
                remove()
                self.journal.improve()
                self.assertTrue(self.journal.is_on_disk)
                self.assertIn(running.entry_id, self.read()[0].open)
        self.assertEqual(self.settle_all(), 2)
        for each in self.journal.spent():
            self.journal.remove(each)
        self.assertEqual(len(self.files.segments(WRITER)), 1)

    def test_removed_while_the_disk_is_full(self) -> None:
        """Where there cannot be another one, it waits in memory, and says so."""
        os.unlink(self.files.segments(WRITER)[-1])
        self.full = OSError(28, os.strerror(28))
        self.journal.improve()
        self.journal.end(a_record())
        self.assertEqual((self.journal.is_on_disk, self.settle_all(), bool(self.journal.why)), (False, 1, True))

    def test_no_room_at_all(self) -> None:
        """Beyond the bounds of disk and memory records are lost and counted; nothing else happens to exchanges."""
        self.full = NoRoom("most_waiting is reached")
        text = {"user_agent": "x" * 10_000}
        while not self.journal.lost:
            self.journal.end(a_record(**text))
        self.assertTrue(self.journal.is_losing)
        kept = self.journal.waiting
        self.assertLessEqual(self.journal.waiting_bytes, MOST_IN_MEMORY + 64 * 1024)
        running = a_record()
        self.journal.begin(running, used=True, leased=False)
        self.assertEqual(self.settle_all(), kept)
        for each in self.journal.spent():
            self.journal.remove(each)
        self.journal.improve()
        self.assertFalse(self.journal.is_losing)
        self.journal.end(running)
        self.assertEqual((self.settle_all(), self.journal.lost), (1, 1))

    def test_without_files(self) -> None:
        """A database that ends with its process is fed from memory."""
        journal = Journal(WRITER, "db", None)
        journal.end(a_record())
        batch = journal.unsettled(10)
        assert batch is not None
        journal.settled(batch)
        self.assertEqual((len(batch.entries), journal.waiting, journal.is_losing, journal.why), (1, 0, False, ""))

    def test_closed(self) -> None:
        """What comes after the end is lost, and counted."""
        self.journal.close()
        self.journal.end(a_record())
        self.assertEqual(self.journal.lost, 1)
