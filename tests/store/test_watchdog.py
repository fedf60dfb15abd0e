"""Calls to a server that says nothing."""

from __future__ import annotations

import socket
from threading import Event, Thread

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.watchdog import SocketWatchdog


class OverdueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.theirs.close)

    def waiting(self, overdue: SocketWatchdog) -> tuple[Thread, list[bytes]]:
        """A thread that asks and waits for the answer."""
        asked, found = Event(), []

        def ask() -> None:
            with overdue.watching():
                overdue.took(self.ours)
                asked.set()
                found.append(self.ours.recv(1))

        thread = Thread(target=ask)
        thread.start()
        asked.wait(10)
        return thread, found

    def test_cut(self) -> None:
        """Who waits too long finds the connection closed."""
        overdue = SocketWatchdog(0.0)
        thread, found = self.waiting(overdue)
        self.assertEqual(overdue.cut(), 1)
        thread.join(10)
        self.assertEqual(found, [b""])
        self.assertEqual(overdue.cut(), 0)

    def test_looks_each_second(self) -> None:
        """Nobody has to ask; and nothing goes on when it is stopped."""
        overdue, clock = SocketWatchdog(0.0), Clock()
        overdue.start(clock)
        thread, found = self.waiting(overdue)
        clock.advance(1)
        thread.join(10)
        self.assertEqual(found, [b""])
        overdue.stop()
        overdue.stop()
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_in_time(self) -> None:
        """Who does not, is left alone; nothing stays open behind him."""
        overdue = SocketWatchdog(1000.0)
        thread, found = self.waiting(overdue)
        self.assertEqual(overdue.cut(), 0)
        self.theirs.send(b"x")
        thread.join(10)
        self.assertEqual(found, [b"x"])
        self.ours.close()
        self.assertEqual(self.theirs.recv(1), b"")

    def test_not_watched(self) -> None:
        """What nobody watches takes as long as it takes: a migration."""
        overdue = SocketWatchdog(0.0)
        overdue.took(self.ours)
        self.assertEqual(overdue.cut(), 0)
