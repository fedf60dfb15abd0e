"""Tests of the files of the ledger."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.ledger.files import SEGMENT_SIZE, LedgerFiles, NoRoom

from .fakes import OTHER, WRITER

MIB = 1024 * 1024


class LedgerFilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.files = LedgerFiles(os.path.join(self.mktemp(), "ledger"), 64 * MIB)
        self.files.prepare()

    def test_private(self) -> None:
        """The directory is its owner's alone; looking whether it works leaves nothing."""
        self.assertEqual(stat.S_IMODE(os.stat(self.files.directory).st_mode), 0o700)
        self.assertEqual(os.listdir(self.files.directory), [])

    def test_not_writable(self) -> None:
        """A directory where no file can be made is found out at once."""
        with open(self.mktemp(), "w") as file:
            self.assertRaises(OSError, LedgerFiles(file.name, MIB).prepare)

    def test_living(self) -> None:
        """Nobody gets the lock of a process that lives, not even in the same process."""
        segment = self.files.new_segment(WRITER, 1)
        self.addCleanup(segment.close)
        self.assertEqual(self.files.writers(), [WRITER])
        self.assertIsNone(self.files.take(WRITER))
        self.assertIsNone(self.files.take(OTHER))

    def test_dead(self) -> None:
        """A process that was killed does not hold its lock any more, and one other gets it."""
        program = (
            "import os, sys, signal\n"
            "from llmproxy.ledger.files import LedgerFiles\n"
            "segment = LedgerFiles(sys.argv[1], 1 << 30).new_segment(sys.argv[2], 1)\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        subprocess.run([sys.executable, "-c", program, self.files.directory, OTHER], check=False)
        lock = self.files.take(OTHER)
        assert lock is not None
        self.assertIsNone(self.files.take(OTHER))
        os.close(lock)

    def test_removed_meanwhile(self) -> None:
        """What somebody else has taken and removed is nobody's."""
        self.files.new_segment(OTHER, 1).close()
        lock = self.files.take(OTHER)
        assert lock is not None
        self.files.remove(OTHER)
        os.close(lock)
        self.assertIsNone(self.files.take(OTHER))
        self.assertEqual(self.files.writers(), [])

    def test_last_one(self) -> None:
        """One that has gone on in a next file lives, whatever became of the one before."""
        self.files.new_segment(WRITER, 1).close()
        self.addCleanup(self.files.new_segment(WRITER, 2).close)
        self.assertIsNone(self.files.take(WRITER))

    def test_unfinished(self) -> None:
        """A file that its process did not finish goes, once nobody can be making it any more."""
        for name, age in ((".new-old", 100), (".new-young", 0)):
            path = os.path.join(self.files.directory, name)
            open(path, "w").close()
            os.utime(path, (time.time() - age,) * 2)
        self.files.prepare()
        self.assertEqual(os.listdir(self.files.directory), [".new-young"])

    def test_segments(self) -> None:
        """Each process has its own, in their order; what else is in the directory is left alone."""
        for writer, number in ((WRITER, 2), (OTHER, 1), (WRITER, 1)):
            self.files.new_segment(writer, number).close()
        open(os.path.join(self.files.directory, "llmproxy.db"), "w").close()
        names = [os.path.basename(path) for path in self.files.segments(WRITER)]
        self.assertEqual(names, [f"{WRITER}.00000001.ledger", f"{WRITER}.00000002.ledger"])
        self.files.remove(WRITER)
        self.assertEqual(sorted(os.listdir(self.files.directory)), [f"{OTHER}.00000001.ledger", "llmproxy.db"])

    def test_bound(self) -> None:
        """All processes together have what C{most_waiting} says, and no more."""
        self.assertEqual(self.files.size, SEGMENT_SIZE)
        for number in range(16):
            self.files.new_segment(WRITER if number % 2 else OTHER, number).close()
        self.assertEqual(self.files.held(), 64 * MIB)
        self.assertRaises(NoRoom, self.files.new_segment, WRITER, 16)

    def test_small(self) -> None:
        """A small bound has small segments; one that has to hold more is as large as that."""
        files = LedgerFiles(self.files.directory, MIB)
        segment = files.new_segment(WRITER, 1, 100_000)
        segment.close()
        self.assertEqual((files.size, files.held()), (64 * 1024, 100_000))
