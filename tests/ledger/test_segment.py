"""Tests of segments."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.frames import BEGUN, ENDED, frame
from llmproxy.ledger.segment import ISegment, MemorySegment, NoSegment, Segment, preallocate
from tests.tables import row

SIZE = 64 * 1024


class SegmentTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = os.path.join(self.mktemp(), "segment")
        os.makedirs(os.path.dirname(self.path))

    def made(self) -> Segment:
        segment = Segment(self.path, SIZE)
        self.addCleanup(segment.close)
        return segment

    def test_written_at_once(self) -> None:
        """What was appended stands in the file when the call returns: who reads the file has it."""
        segment = self.made()
        written = frame(ENDED, b"one") + frame(BEGUN, b"two")
        for each in (frame(ENDED, b"one"), frame(BEGUN, b"two")):
            self.assertTrue(segment.append(each), each)
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), written + bytes(SIZE - len(written)))

    def test_private(self) -> None:
        """The file is its owner's alone, and takes one descriptor, which holds its lock."""
        open_before = len(os.listdir("/proc/self/fd"))
        self.made()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        self.assertEqual(len(os.listdir("/proc/self/fd")), open_before + 1)
        with open(self.path) as other:
            self.assertRaises(BlockingIOError, fcntl.flock, other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_blocks_are_there(self) -> None:
        """The file has all of its blocks before anything is written: a full disk can kill nobody later."""
        segment = self.made()
        self.assertGreaterEqual(os.stat(self.path).st_blocks * 512, SIZE)
        segment.sync()

    def test_disk_full(self) -> None:
        """Where there is no room for all of it, there is no file and no open descriptor, and an error that says so."""
        open_before = len(os.listdir("/proc/self/fd"))
        error = self.assertRaises(OSError, Segment, self.path, 1 << 62)
        self.assertIn(error.errno, (errno.ENOSPC, errno.EFBIG))
        self.assertEqual(os.listdir(os.path.dirname(self.path)), [])
        self.assertEqual(len(os.listdir("/proc/self/fd")), open_before)

    def test_removed(self) -> None:
        """Nothing is left of one that is not needed."""
        segment = Segment(self.path, SIZE)
        segment.remove()
        self.assertEqual(os.listdir(os.path.dirname(self.path)), [])
        # A thread may be about to sync it.
        segment.sync()

    def test_preallocated(self) -> None:
        """A file gets its size, and is zeros."""
        with open(self.path, "w+b") as file:
            preallocate(file.fileno(), 100_000)
            self.assertEqual(file.read(), bytes(100_000))


class AnySegmentTests(SynchronousTestCase):
    """What holds in a file and in memory."""

    def segments(self) -> list[tuple[str, Callable[[], ISegment]]]:
        def in_file() -> ISegment:
            segment = Segment(self.mktemp(), SIZE)
            self.addCleanup(segment.close)
            return segment

        return [("file", in_file), ("memory", lambda: MemorySegment(SIZE))]

    def test_full(self) -> None:
        """It takes what there is room for, whole or not at all."""
        big = frame(ENDED, bytes(range(256)) * 100)
        for name, made in self.segments():
            with row(name):
                segment = made()
                self.assertEqual([segment.append(big) for _ in range(3)], [True, True, False])
                self.assertEqual(segment.end, 2 * len(big))
                self.assertEqual(len(list(segment.contents(0))), 2)
                self.assertTrue(segment.append(frame(ENDED, b"small")))

    def test_read_from_where_it_ended(self) -> None:
        """Reading goes on where it has ended before."""
        for name, made in self.segments():
            with row(name):
                segment = made()
                segment.append(frame(ENDED, b"one"))
                [(_, _, end)] = segment.contents(0)
                self.assertEqual((end, list(segment.contents(end))), (segment.end, []))
                segment.append(frame(ENDED, b"two"))
                self.assertEqual([(content, at) for _, content, at in segment.contents(end)], [(b"two", segment.end)])


class NoSegmentTests(SynchronousTestCase):
    def test_counts(self) -> None:
        """Where there is no room, those exchanges are counted that have ended."""
        nowhere = NoSegment()
        for kind in (BEGUN, ENDED, ENDED):
            nowhere.append(frame(kind, b"x"))
        self.assertEqual((nowhere.lost, list(nowhere.contents(0))), (2, []))
