"""Where blocking calls run."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from llmproxy.store.threads import NoThreads, PooledThreads


class PooledThreadsTests(TestCase):
    def test_runs_elsewhere(self) -> Deferred[Any]:
        """A call does not block the reactor, and answers in its thread."""
        from twisted.internet import reactor

        threads = PooledThreads(reactor, 2)
        threads.start()
        here = threading.get_ident()

        def ran(there: int) -> None:
            self.assertNotEqual(there, here)
            self.assertEqual(threading.get_ident(), here)
            threads.stop()

        return threads.run(threading.get_ident).addCallback(ran)

    def test_forgotten(self) -> Deferred[Any]:
        """A process whose threads nobody stops can end."""
        from twisted.internet import reactor

        threads = PooledThreads(reactor, 2)
        threads.start()
        self.addCleanup(threads.stop)
        return threads.run(lambda: threading.current_thread().daemon).addCallback(self.assertTrue)


class NoThreadsTests(SynchronousTestCase):
    def test_runs_here(self) -> None:
        """A call has happened when it returns; what it raises is its failure."""
        threads = NoThreads()
        self.assertEqual(self.successResultOf(threads.run(lambda: 1)), 1)
        self.failureResultOf(threads.run(lambda: 1 // 0), ZeroDivisionError)
