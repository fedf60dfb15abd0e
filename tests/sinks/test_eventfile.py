"""Files of events."""

from __future__ import annotations

import gzip
import os
import resource
import signal
import stat
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.sinks.eventfile import EventFile, Rotation


class EventFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = os.path.join(self.mktemp(), "events.jsonl")

    def make(self, **rotation: Any) -> EventFile:
        file = EventFile(self.path, Rotation(**rotation))
        self.addCleanup(file.close)
        return file

    def text(self, ending: str = "") -> bytes:
        with open(self.path + ending, "rb") as file:
            return file.read()

    def test_appends(self) -> None:
        """Lines stand one behind the other, in a file that is its owner's alone."""
        file = self.make()
        file.append(b"1\n2\n", 0)
        file.append(b"3\n", 0)
        self.assertEqual(self.text(), b"1\n2\n3\n")
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_by_size(self) -> None:
        """A file that would be too long is put aside, and so many of those are kept."""
        file = self.make(size=5, keep=2)
        for number in range(5):
            file.append(b"%d\n" % number * 2, 0)
        self.assertEqual((self.text(), self.text(".1"), self.text(".2")), (b"4\n4\n", b"3\n3\n", b"2\n2\n"))
        self.assertFalse(os.path.exists(self.path + ".3"))

    def test_long_batch(self) -> None:
        """A batch that is longer than a file may be stands in one by itself."""
        file = self.make(size=5)
        file.append(b"123456789\n", 0)
        self.assertEqual(self.text(), b"123456789\n")
        self.assertFalse(os.path.exists(self.path + ".1"))

    def test_by_time(self) -> None:
        """With C{every: 1d} a day has a file, also where the process was started anew in between."""
        self.make(every=86_400).append(b"1\n", 86_300)
        self.make(every=86_400).append(b"2\n", 86_399)
        self.assertEqual(self.text(), b"1\n2\n")
        self.make(every=86_400).append(b"3\n", 86_401)
        self.assertEqual((self.text(), self.text(".1")), (b"3\n", b"1\n2\n"))

    def test_compressed(self) -> None:
        """Files that are put aside are packed, their order kept, and nothing else is left."""
        file = self.make(size=5, keep=2, compresses=True)
        for number in range(5):
            file.append(b"%d\n" % number * 2, 0)
        self.assertEqual(gzip.decompress(self.text(".1.gz")), b"3\n3\n")
        self.assertEqual(gzip.decompress(self.text(".2.gz")), b"2\n2\n")
        self.assertEqual(len(os.listdir(os.path.dirname(self.path))), 4)
        self.assertEqual(stat.S_IMODE(os.stat(self.path + ".1.gz").st_mode), 0o600)

    def test_two_processes(self) -> None:
        """When one has rotated, the other goes on in the new file."""
        one, other = self.make(size=5), self.make(size=5)
        one.append(b"1\n1\n", 0)
        other.append(b"2\n2\n", 0)
        one.append(b"3\n", 0)
        self.assertEqual([self.text(each) for each in ("", ".1", ".2")], [b"3\n", b"2\n2\n", b"1\n1\n"])

    def test_moved_away(self) -> None:
        """A file that logrotate has moved is followed by a new one."""
        file = self.make()
        file.append(b"1\n", 0)
        os.rename(self.path, self.path + ".old")
        file.append(b"2\n", 0)
        self.assertEqual(self.text(), b"2\n")

    def test_half_a_line(self) -> None:
        """What a killed process has left of a line spoils no other."""
        os.makedirs(os.path.dirname(self.path))
        with open(self.path, "wb") as file:
            file.write(b"1\n{hal")
        self.make().append(b"2\n", 0)
        self.assertEqual(self.text().splitlines(), [b"1", b"{hal", b"2"])

    def test_no_link(self) -> None:
        """A link that somebody put there is not followed."""
        os.makedirs(os.path.dirname(self.path))
        os.symlink("/tmp/elsewhere", self.path)
        self.assertRaises(OSError, self.make().append, b"1\n", 0)

    def test_full_disk(self) -> None:
        """A batch for which there is no room leaves no half of a line, and is written when there is."""
        file = self.make()
        file.append(b"1\n", 0)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        heeded = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
            self.assertRaises(OSError, file.append, b"x" * 200 + b"\n", 0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, heeded)
        self.assertEqual(self.text(), b"1\n")
        file.append(b"2\n", 0)
        self.assertEqual(self.text(), b"1\n2\n")
