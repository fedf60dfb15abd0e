"""Telling whoever started the process how that went."""

from __future__ import annotations

import os
from typing import Any

from twisted.application.service import Application, Service
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.serverlog import ServerLog
from llmproxy.app.startup import Started, explain
from llmproxy.errors import ConfigError


class Starting(Service):
    def __init__(self) -> None:
        self.started: Deferred[None] = Deferred()


class StartedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reading, writing = os.pipe()
        self.addCleanup(os.close, self.reading)
        self.twistd: dict[str, Any] = {"statusPipe": writing}
        self.service = Starting()
        self.started = Started(MemoryReactorClock(), self.service, self.twistd)
        self.started.startService()

    def test_twistd_waits_for_the_ports(self) -> None:
        """In the background, twistd's first process is told of success when the service is up, not before."""
        os.set_blocking(self.reading, False)
        self.assertRaises(BlockingIOError, os.read, self.reading, 10)
        # twistd writes to the pipe itself if it is left in its options.
        self.assertIsNone(self.twistd.get("statusPipe"))
        self.service.started.callback(None)
        self.assertEqual((os.read(self.reading, 10), os.read(self.reading, 10)), (b"0", b""))

    def test_stops_with_the_service(self) -> None:
        """What twistd stops is the proxy."""
        self.service.started.callback(None)
        self.assertTrue(self.service.running)
        self.started.stopService()
        self.assertFalse(self.service.running)


class LogTests(SynchronousTestCase):
    def test_application(self) -> None:
        """twistd, which asks its application for an observer first, finds ours."""
        log = ServerLog(lambda text: None)
        for given in (log, None):
            started = Started(MemoryReactorClock(), Starting(), {}, given)
            application = Application("x")
            started.setServiceParent(application)
            self.assertIs(application.getComponent(ILogObserver, None), given)
            self.addCleanup(os.close, started._terminal)


class ExplainTests(SynchronousTestCase):
    def test_mistakes_and_faults(self) -> None:
        """A mistake is told in its words, a fault of our own with its traceback."""
        self.assertEqual(explain(Failure(ConfigError("a", "b"))), "a\nb")
        self.assertIn("ZeroDivisionError: bug", explain(Failure(ZeroDivisionError("bug"))))
