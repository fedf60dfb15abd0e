"""Asking whether something answers."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import Unavailable
from llmproxy.store.probe import Probe


class ProbeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[Deferred[str]] = []
        self.probe = Probe(self.clock, self.ask, 2.0)

    def ask(self) -> Deferred[str]:
        self.asked.append(Deferred())
        return self.asked[-1]

    def test_answers(self) -> None:
        """All who ask while one question is under way get its answer; the next gets a new one."""
        checks = [self.probe.check() for _ in range(3)]
        self.assertEqual(len(self.asked), 1)
        self.asked[0].callback("yes")
        self.assertEqual([self.successResultOf(check) for check in checks], [None] * 3)
        check = self.probe.check()
        self.asked[1].errback(Unavailable("away"))
        self.failureResultOf(check, Unavailable)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silence(self) -> None:
        """Silence is an answer after two seconds, however often one asks; the question goes on for itself."""
        for _ in range(5):
            check = self.probe.check()
            self.clock.advance(2)
            self.assertEqual(str(self.failureResultOf(check, Unavailable).value.description), "it does not answer")
        self.assertEqual(len(self.asked), 1)
        self.asked[0].callback("at last")
        self.probe.check()
        self.assertEqual(len(self.asked), 2)

    def test_cancelled(self) -> None:
        """Who does not want to know any more is not told."""
        check = self.probe.check()
        check.cancel()
        self.failureResultOf(check, CancelledError)
        self.asked[0].callback("yes")
        self.assertEqual(self.clock.getDelayedCalls(), [])
