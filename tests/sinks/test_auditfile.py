"""The audit log as a file."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.sinks.auditfile import AuditFile

from .auditing import Disk, notes, record, verified


class AuditFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        os.mkdir(directory := self.mktemp())
        self.path = os.path.join(directory, "audit.log")
        self.disk = Disk()
        self.file = self.make()

    def make(self, **settings: Any) -> AuditFile:
        file = AuditFile(self.path, notes().own, system=self.disk.system(), **settings)
        self.addCleanup(file.close)
        return file

    def names(self, *paths: str) -> list[str]:
        """The names that records were made with, leaving out what the log says of itself."""
        found = []
        for path in paths or (self.path,):
            for line in Path(path).read_bytes().splitlines():
                values = json.loads(line)
                if values["actor"] != "system":
                    found.append(values["id"])
        return found

    def sound(self, *paths: str, **more: Any) -> int:
        """Nothing is wrong with the files; how many records there are."""
        report = verified(*(paths or (self.path,)), **more)
        self.assertEqual(report.problems, [])
        return report.records

    def test_appends(self) -> None:
        """One line a record, in one chain, for its owner alone, also after a restart."""
        self.addCleanup(os.umask, os.umask(0))
        anchor = self.file.append([record("a"), record("b")])
        self.file.close()
        after = self.make().append([record("c")])
        self.assertEqual(self.names(), ["a", "b", "c"])
        self.assertEqual((self.sound(anchors=[anchor, after]), after.count), (4, 4))
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.path + ".lock").st_mode), 0o600)

    def test_several_processes(self) -> None:
        """Who appends in turn with others continues what they wrote."""
        other = self.make()
        for number in range(6):
            (self.file, other)[number % 2].append([record(str(number))])
        self.assertEqual(self.names(), list("012345"))
        self.assertEqual(self.sound(), 7)

    def test_rotation(self) -> None:
        """A full file is sealed and continued in another; so many are kept, and the rest is a chain still."""
        file = self.make(max_bytes=2000, keep=3)
        for number in range(40):
            file.append([record(f"r{number}")])
        files = [f"{self.path}.{number}" for number in (3, 2, 1)] + [self.path]
        there = {os.path.basename(path) for path in files} | {"audit.log.lock"}
        self.assertEqual(set(os.listdir(os.path.dirname(self.path))), there)
        self.sound(*files)
        kept = self.names(*files)
        self.assertEqual(kept, [f"r{number}" for number in range(40 - len(kept), 40)])
        self.assertTrue(all(os.stat(path).st_size < 2600 for path in files))
        self.assertTrue(verified(*files[1:]).problems)
        self.assertTrue(verified(*files[:1], *files[2:]).problems)

    def test_rotation_by_another(self) -> None:
        """When another process rotates, both go on in the new file."""
        file, other = self.make(max_bytes=1500, keep=50), self.make(max_bytes=1500, keep=50)
        for number in range(30):
            (file, other)[number % 2].append([record(str(number))])
        count = len([name for name in os.listdir(os.path.dirname(self.path)) if name[-1].isdigit()])
        self.assertGreater(count, 3)
        files = [f"{self.path}.{number}" for number in range(count, 0, -1)] + [self.path]
        self.sound(*files)
        self.assertEqual(self.names(*files), [str(number) for number in range(30)])

    def test_crash_while_rotating(self) -> None:
        """A process that died between sealing a file and opening the next leaves a log that all go on with."""
        mine = self.make()
        mine.append([record("a")])
        self.file.append([record("b"), record("c")])
        os.rename(self.path, f"{self.path}.1")
        mine.append([record("d")])
        self.assertEqual(self.sound(f"{self.path}.1", self.path), 6)

    def test_disk_full(self) -> None:
        """What does not fit whole is taken back, and written when there is room: nothing is torn, twice or missing."""
        self.file.append([record("a")])
        self.disk.room = 700
        self.assertRaises(OSError, self.file.append, [record("b"), record("c"), record("d")])
        self.assertEqual((self.names(), self.sound()), (["a"], 2))
        self.disk.room = None
        self.file.append([record("b"), record("c"), record("d"), record("e")])
        self.assertEqual((self.names(), self.sound()), (list("abcde"), 6))

    def test_disk_that_takes_nothing_back(self) -> None:
        """If not even that works, whole lines count as written, and the torn one is noted as what it is."""
        self.file.append([record("a")])
        self.disk.room, self.disk.truncates = 700, False
        batch = [record("b"), record("c"), record("d")]
        self.assertRaises(OSError, self.file.append, batch)
        self.disk.room, self.disk.truncates = None, True
        self.file.append([*batch, record("e")])
        report = verified(self.path)
        self.assertEqual((report.problems, len(report.notes)), ([], 1))
        self.assertEqual(len(report.heads), 1)
        content = Path(self.path).read_bytes()
        for name in "abcde":
            self.assertEqual(content.count(b'"id":"%s"' % name.encode()), 1, name)

    def test_crash_within_a_line(self) -> None:
        """A line that a crash left unfinished is kept, noted, and spoils none behind it."""
        self.file.append([record("a")])
        self.file.close()
        with open(self.path, "ab") as file:
            file.write(b'{"action":"project.cre')
        self.make().append([record("b")])
        report = verified(self.path)
        self.assertEqual((report.problems, len(report.notes), report.records), ([], 1, 4))

    def test_cut_while_running(self) -> None:
        """A running proxy notices that its log was cut, says so, and the gap stays visible in the file."""
        logged: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        self.file.append([record("a"), record("b"), record("c")])
        lines = Path(self.path).read_bytes().splitlines(keepends=True)
        os.truncate(self.path, sum(map(len, lines[:2])))
        self.file.append([record("d")])
        self.assertIn("has lost records {first} to {last}", logged[-1]["log_format"])
        (problem,) = verified(self.path).problems
        self.assertIn("records 3 to 4 are missing", problem.what)
        os.unlink(self.path)
        self.file.append([record("e")])
        self.assertIn("files 1 to 1 are missing", verified(self.path).problems[0].what)

    def test_taken_away_while_running(self) -> None:
        """Whatever is done to the file of a running proxy, it says so once, and verifying finds it."""
        other = Path(self.mktemp())
        AuditFile(str(other), notes().own).append([record("x")])

        harms: dict[str, Callable[[], object]] = {
            "cut to nothing": lambda: os.truncate(self.path, 0),
            "removed": lambda: os.unlink(self.path),
            "moved away": lambda: os.rename(self.path, self.path + "-20260101"),
            "cut within its first line": lambda: os.truncate(self.path, 10),
            "replaced by an empty one": lambda: (os.unlink(self.path), Path(self.path).touch()),
            "replaced by another": lambda: os.replace(other, self.path),
        }
        for name, harm in harms.items():
            self.path = os.path.join(os.path.dirname(self.path), name.replace(" ", "-"))
            file = self.make()
            file.append([record("a"), record("b"), record("c")])
            anchor = file.append([record("d")])
            with self.errors() as errors:
                harm()
                file.append([record("e")])
                file.append([record("f")])
            self.assertEqual(len(errors), 1, (name, errors))
            self.assertIn("e", self.names())
            self.assertNotEqual(verified(self.path, anchors=[anchor]).problems, [], name)

    def test_nothing_taken_away(self) -> None:
        """Files that are sealed and continued, by this process or another one, are no loss."""
        with self.errors() as errors:
            for scene in (self.test_rotation, self.test_several_processes, self.test_crash_while_rotating):
                self.setUp()
                scene()
        self.assertEqual(errors, [])

    @contextmanager
    def errors(self) -> Iterator[list[str]]:
        """What is logged meanwhile as an error."""
        logged: list[str] = []

        def note(event: Any) -> None:
            if event["log_level"] is LogLevel.error:
                logged.append(formatEvent(event))

        globalLogPublisher.addObserver(note)
        try:
            yield logged
        finally:
            globalLogPublisher.removeObserver(note)

    def test_log_of_another_program(self) -> None:
        """What is there and is not ours is put aside, not mixed with ours and not lost."""
        for content in (b'{"timestamp":"2025","result":"success"}\n', b"other\n"):
            Path(self.path).write_bytes(content)
            self.make().append([record("a")])
            self.assertEqual((self.names(), self.sound()), (["a"], 2), content)
        directory = Path(self.path).parent
        self.assertEqual((directory / "audit.log.other").read_bytes(), b'{"timestamp":"2025","result":"success"}\n')
        self.assertEqual((directory / "audit.log.other1").read_bytes(), b"other\n")

    def test_link(self) -> None:
        """A link in its place is not followed: what it points to is not ours to write."""
        os.symlink("elsewhere", self.path)
        self.assertRaises(OSError, self.file.append, [record("a")])
