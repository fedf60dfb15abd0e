"""Tests for L{llmproxy.workers.accepting}."""

from __future__ import annotations

import errno
import os
import resource
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.workers.accepting import PAUSE, SAID_EACH, Accepting


class Port:
    """A port as its reactor has it; C{accepts} at each turn."""

    connected = True
    disconnecting = False
    sessionno = 0
    numberAccepts = 100
    said: tuple[dict[str, str], ...] = ()

    def __init__(self) -> None:
        self.accepts = 0
        self._logger = Logger(namespace="twisted.internet.tcp.Port")
        self.reading = True
        self.doRead: Any = self.read

    def read(self) -> None:
        self.sessionno += self.accepts
        for event in self.said:
            self._logger.info("it says {what}", **event)

    def fileno(self) -> int:
        return 2

    def startReading(self) -> None:
        self.reading = True

    def stopReading(self) -> None:
        self.reading = False


class AcceptingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.port = Clock(), Port()
        Accepting(self.clock, self.port)

    def exhaust(self) -> None:
        """No descriptor can be opened any more, until the test ends."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        held: list[int] = []
        self.addCleanup(lambda: [os.close(fd) for fd in held])
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 16, hard))
        while True:
            try:
                held.append(os.dup(2))
            except OSError as error:
                self.assertEqual(error.errno, errno.EMFILE)
                return

    def test_as_before(self) -> None:
        """A port that accepts, or has nothing to accept, goes on."""
        self.port.doRead()
        self.assertTrue(self.port.reading)
        self.exhaust()
        self.port.accepts = 1
        self.port.doRead()
        self.assertTrue(self.port.reading)

    def test_nothing_left(self) -> None:
        """One that could accept nothing is left alone for a moment, and said so once a minute."""
        self.exhaust()
        for _ in range(3):
            self.port.doRead()
            self.assertFalse(self.port.reading)
            self.clock.advance(PAUSE)
            self.assertTrue(self.port.reading)
        self.assertEqual(len(self.flushed()), 1)
        self.clock.advance(SAID_EACH)
        self.port.doRead()
        self.assertEqual(len(self.flushed()), 1)

    def test_port_says_so(self) -> None:
        """What the port says of each client is one line of ours, also where it accepted some; the rest is passed on."""
        self.port.accepts = 3
        self.port.said = ({"what": "closed"},) * 50 + ({"what": "none", "acceptError": "ENFILE"},)
        self.port.doRead()
        self.assertFalse(self.port.reading)
        (event,) = self.flushed()
        self.assertIn("too many open files", event["log_format"])
        self.port.said = ({"what": "gone", "acceptError": "ECONNABORTED"},)
        self.port.reading = True
        self.port.doRead()
        self.assertTrue(self.port.reading)
        self.assertEqual([event["acceptError"] for event in self.flushed()], ["ECONNABORTED"])

    def test_most(self) -> None:
        """No more are accepted in one turn than there is room for, however many Twisted has come to take."""
        port = Port()
        Accepting(self.clock, port, 5)
        port.doRead()
        self.assertEqual(port.numberAccepts, 5)

    def flushed(self) -> list[Any]:
        found, self.events = list(self.events), []
        return found

    def run(self, result: Any) -> Any:
        from twisted.logger import globalLogPublisher

        self.events: list[Any] = []

        def note(event: Any) -> None:
            if event.get("log_namespace") in ("llmproxy.workers.accepting.Accepting", "twisted.internet.tcp.Port"):
                self.events.append(event)

        globalLogPublisher.addObserver(note)
        try:
            return super().run(result)
        finally:
            globalLogPublisher.removeObserver(note)

    def test_closed_meanwhile(self) -> None:
        """A port that is closed meanwhile stays closed."""
        self.exhaust()
        self.port.doRead()
        self.port.connected = False
        self.clock.advance(PAUSE)
        self.assertFalse(self.port.reading)
