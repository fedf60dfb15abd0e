"""How far the file of the audit log has come, told to the database."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.chain import Anchor
from llmproxy.sinks.auditanchors import EVERY, Anchoring


def anchor(count: int) -> Anchor:
    return Anchor("c", count, "0" * 64)


class AnchoringTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.answer: Any = None
        self.noted: list[int] = []
        self.logged: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)
        self.anchoring = Anchoring(self.clock, self.note)

    def note(self, anchor: Anchor) -> Deferred[None]:
        if isinstance(self.answer, Exception):
            return fail(self.answer)
        self.noted.append(anchor.count)
        return self.answer or succeed(None)

    def test_the_latest(self) -> None:
        """Of many within a second only the latest is noted."""
        for count in range(1, 100):
            self.anchoring.note(anchor(count))
        self.assertEqual(self.noted, [])
        self.clock.advance(EVERY)
        self.assertEqual((self.noted, self.clock.getDelayedCalls()), ([99], []))

    def test_away(self) -> None:
        """While the database is away it is tried again, more and more seldom; an operator hears of it once."""
        self.answer = OSError("away")
        self.anchoring.note(anchor(1))
        self.clock.pump([0.5] * 20)
        self.assertEqual(len(self.logged), 1)
        self.answer = None
        self.anchoring.note(anchor(2))
        self.clock.pump([1.0] * 30)
        self.assertEqual((self.noted, self.clock.getDelayedCalls()), ([2], []))

    def test_stop(self) -> None:
        """The last one is noted at the end."""
        self.anchoring.note(anchor(1))
        self.successResultOf(self.anchoring.stop())
        self.assertEqual((self.noted, self.clock.getDelayedCalls()), ([1], []))
        self.successResultOf(Anchoring(self.clock, self.note).stop())

    def test_stop_while_noting(self) -> None:
        """A note under way is waited for, then the one that came since."""
        self.answer = first = Deferred()
        self.anchoring.note(anchor(1))
        self.clock.advance(EVERY)
        self.anchoring.note(anchor(2))
        stopping = self.anchoring.stop()
        self.assertNoResult(stopping)
        self.answer = None
        first.callback(None)
        self.successResultOf(stopping)
        self.assertEqual((self.noted, self.clock.getDelayedCalls()), ([1, 2], []))

    def test_stop_in_vain(self) -> None:
        """A database that is away holds nobody up."""
        self.answer = OSError("away")
        self.anchoring.note(anchor(1))
        self.successResultOf(self.anchoring.stop())
        self.assertEqual(len(self.logged), 1)
