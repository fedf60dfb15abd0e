"""Tests for L{llmproxy.app.watching}."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.configsource import ConfigSource
from llmproxy.app.settings import Settings
from llmproxy.app.watching import EVERY, FileWatch, differ, look, watch_of
from llmproxy.config import APIConfig
from tests.tables import row


class LookTests(SynchronousTestCase):
    def test_differ(self) -> None:
        """A file that was known and is another; one that was not known belongs to it only now."""
        for name, before, now, expected in (
            ("same", {"a": 1}, {"a": 1}, False),
            ("another", {"a": 1}, {"a": 2}, True),
            ("new", {"a": 1}, {"a": 1, "b": 1}, False),
            ("no longer asked for", {"a": 1, "b": 1}, {"a": 1}, False),
            ("nothing known", {}, {"a": 1}, False),
        ):
            with row(self, name):
                self.assertIs(differ(before, now), expected)

    def test_look(self) -> None:
        """Content, another file by the same name, another target of a link, a file that goes: each is seen."""
        directory = self.mktemp()
        os.mkdir(directory)
        path, link = os.path.join(directory, "a"), os.path.join(directory, "link")
        write(path, "one")
        os.symlink("a", link)
        seen = [look([path, link])]
        self.assertEqual(look([path, link]), seen[0])

        def replace() -> None:
            write(path + ".new", "two")
            os.replace(path + ".new", path)

        def turn() -> None:
            write(os.path.join(directory, "b"), "other")
            os.symlink("b", link + ".new")
            os.replace(link + ".new", link)

        for change in (lambda: write(path, "longer"), replace, turn, lambda: os.unlink(path)):
            change()
            self.assertNotIn(look([path, link]), seen)
            seen.append(look([path, link]))


class FileWatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.path = self.mktemp()
        write(self.path, "one")
        self.files = [self.path]
        self.changes = 0
        self.reading: Deferred[None] = succeed(None)
        self.watch = FileWatch(self.clock, lambda: self.files, maybeDeferred, self.changed)
        self.watch.start()
        self.addCleanup(self.watch.stop)

    def changed(self) -> Deferred[None]:
        self.changes += 1
        return self.reading

    def seconds(self, count: int) -> int:
        """How many changes were reported in so many seconds."""
        before = self.changes
        for _ in range(count):
            self.clock.advance(EVERY)
        return self.changes - before

    def test_once(self) -> None:
        """A change is reported once, and the next one too."""
        self.assertEqual(self.seconds(3), 0)
        write(self.path, "longer")
        self.assertEqual(self.seconds(4), 1)
        write(self.path, "longer still")
        self.assertEqual(self.seconds(4), 1)

    def test_written_in_pieces(self) -> None:
        """While it is written, nothing is reported."""
        for size in range(4, 8):
            write(self.path, "x" * size)
            self.assertEqual(self.seconds(1), 0, size)
        self.assertEqual(self.seconds(2), 1)

    def test_gone(self) -> None:
        """A file that goes is a change, its return another."""
        os.unlink(self.path)
        self.assertEqual(self.seconds(3), 1)
        write(self.path, "back")
        self.assertEqual(self.seconds(3), 1)

    def test_others(self) -> None:
        """Files that a configuration names from now on are watched from now on."""
        other = self.mktemp()
        write(other, "secret")
        self.files.append(other)
        self.assertEqual(self.seconds(3), 0)
        write(other, "another secret")
        self.assertEqual(self.seconds(3), 1)

    def test_meanwhile(self) -> None:
        """While a change is taken nothing is looked at; what changes in that time is reported afterwards."""
        self.reading = Deferred()
        write(self.path, "longer")
        self.assertEqual(self.seconds(3), 1)
        write(self.path, "longer still")
        self.assertEqual(self.seconds(3), 0)
        self.reading.callback(None)
        self.assertEqual(self.seconds(4), 1)

    def test_stop(self) -> None:
        """Nothing is left on the clock, and it can be stopped twice."""
        self.watch.stop()
        self.watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class WatchOfTests(SynchronousTestCase):
    def test_wanted(self) -> None:
        """Where it is asked for, and where there are files."""
        source = ConfigSource("x", lambda opened: Settings(APIConfig({}, "")))
        changed: Callable[[], Deferred[Any]] = lambda: succeed(None)  # noqa: E731
        for watch, of, expected in ((True, source, True), (False, source, False), (True, None, False)):
            with row(self, watch, of):
                settings = Settings(APIConfig({}, ""), watch=watch, source=of)
                self.assertIs(watch_of(Clock(), settings, changed) is not None, expected)


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
