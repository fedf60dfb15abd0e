"""Questions that are asked at once."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.management.atonce import all_of, begun


class AllOfTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.answers: list[Deferred[int]] = [Deferred(), Deferred()]

    async def ask(self, number: int) -> int:
        return await self.answers[number]

    def test_order(self) -> None:
        """All are asked before any has answered; the answers are in the order of the questions."""
        found = Deferred.fromCoroutine(all_of([self.ask(0), self.ask(1)]))
        self.answers[1].callback(1)
        self.assertNoResult(found)
        self.answers[0].callback(0)
        self.assertEqual(self.successResultOf(found), [0, 1])

    def test_failed(self) -> None:
        """The first failure is raised when all have ended; the others are logged nowhere."""
        found = Deferred.fromCoroutine(all_of([self.ask(0), self.ask(1)]))
        self.answers[1].errback(ValueError("second"))
        self.assertNoResult(found)
        self.answers[0].errback(ValueError("first"))
        self.assertEqual(str(self.failureResultOf(found, ValueError).value), "first")

    def test_none(self) -> None:
        """Nothing is answered at once."""
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(all_of([]))), [])
        self.assertEqual(begun([]), [])
