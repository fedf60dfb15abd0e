"""A look at what waits on disk."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from llmproxy.doctor.look_backlogs import LOCKS, look_at_backlogs, look_at_ledger, look_at_spool

from .subjects import SubjectTestCase

ONE, OTHER = "0" * 32, "f" * 32


class BacklogTests(SubjectTestCase):
    def segment(self, process: str, number: int, age: float = 0.0, size: int = 100) -> str:
        path = self.file(f"{process}.{number:08}.ledger", "x" * size)
        os.utime(path, (time.time() - age,) * 2)
        return path

    def test_ledger(self) -> None:
        """What each process has beyond the file that it writes to waits; who holds no lock has ended."""
        paths = [self.segment(ONE, 1, 600.0), self.segment(ONE, 2), self.segment(OTHER, 1)]
        self.file("notes.txt", "not of the ledger")
        status = os.stat(paths[1])
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        locks = Path(self.file("locks", f"1: FLOCK  ADVISORY  WRITE 12 {device}:{status.st_ino} 0 EOF\n"))
        facts = look_at_ledger(self.directory, 1000, locks)
        self.assertEqual((facts.held, facts.most, facts.waiting, facts.dead, facts.running), (300, 1000, 1, 1, True))
        self.assertTrue(599.0 < facts.oldest < 660.0, facts.oldest)
        unseen = look_at_ledger(self.directory, 1000, Path(self.directory) / "none")
        self.assertEqual((unseen.dead, unseen.running), (None, False))

    def test_lock(self) -> None:
        """The kernel lists a lock as it is looked for."""
        if not LOCKS.exists():
            self.skipTest("this system does not list its locks")
        with open(self.segment(ONE, 1)) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not any(f":{os.fstat(file.fileno()).st_ino} " in line for line in LOCKS.read_text().splitlines()):
                self.skipTest("this system does not list the locks of this process")
            self.assertEqual(look_at_ledger(self.directory, 1000).dead, 0)
        self.assertEqual(look_at_ledger(self.directory, 1000).dead, 1)

    def test_no_ledger(self) -> None:
        """A directory that is not there holds nothing."""
        facts = look_at_ledger(f"{self.directory}/none", 1000)
        self.assertEqual((facts.held, facts.waiting, facts.oldest), (0, 0, 0.0))

    def test_spool(self) -> None:
        """Bytes that wait in all slots, the age of the first, and letters that nobody took."""
        for slot, name, size, age in (("slot-0", "1.jsonl", 10, 50.0), ("slot-1", "2.jsonl", 20, 5.0)):
            directory = Path(self.directory) / "hook" / slot
            directory.mkdir(parents=True)
            (directory / name).write_text("x" * size)
            os.utime(directory / name, (time.time() - age,) * 2)
            (directory / "lock").write_text("not waiting")
        self.file("hook.dead.jsonl", "x" * 7)
        facts = look_at_spool("hook", self.directory, 100)
        self.assertEqual((facts.size, facts.most, facts.letters, facts.orphan), (30, 100, 7, False))
        self.assertTrue(49.0 < facts.oldest < 110.0, facts.oldest)

    def test_whole(self) -> None:
        """The sinks of the configuration, and those that are no more in it; the ledger is where it says."""
        sinks = Path(self.directory) / "events"
        hook = f"sinks: [{{name: hook, type: http, url: 'https://h/x', directory: '{sinks}'}}]\n"
        facts = look_at_backlogs(self.subject(hook + f"ledger: {{directory: '{self.directory}/l'}}"))
        assert facts.ledger is not None
        self.assertEqual(facts.ledger.directory, f"{self.directory}/l")
        self.assertEqual([(each.sink, each.size) for each in facts.spools], [("hook", 0)])
        self.assertIsNone(look_at_backlogs(self.subject("ledger: {enabled: false}")).ledger)
        self.assertEqual(look_at_backlogs(self.subject("surprise: 1")).spools, ())

    def test_orphans(self) -> None:
        """What a sink left behind that is no more configured is found beside the database."""
        from llmproxy.core.events.places import sinks_directory

        subject = self.subject()
        usual = Path(sinks_directory(subject.database_url) or "")
        usual.mkdir(parents=True)
        (usual / "old.dead.jsonl").write_text("{}\n")
        self.assertEqual(
            [(each.sink, each.letters, each.orphan) for each in look_at_backlogs(subject).spools], [("old", 3, True)]
        )
