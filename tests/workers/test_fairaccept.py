"""Which worker takes a connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.workers.fairaccept import AT_ONCE, LEFT, TAKEN, FairAccept


class Port:
    """
    A port as its reactor has it.

    @ivar accepted: how many it was to accept, at each time.
    """

    connected = True
    disconnecting = False

    def __init__(self) -> None:
        self.numberAccepts = 100
        self.accepted: list[int] = []
        self.reading = True
        self.doRead: Any = self.accept

    def accept(self) -> None:
        self.accepted.append(self.numberAccepts)
        self.numberAccepts += 20

    def startReading(self) -> None:
        self.reading = True

    def stopReading(self) -> None:
        self.reading = False


class TakingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.port, self.ahead = Clock(), Port(), False
        self.clock.advance(1000)
        FairAccept(self.clock, self.port, lambda: self.ahead)

    def test_few_at_once(self) -> None:
        """Of a burst of clients a worker takes a few in each turn, as often as it has its turn."""
        self.port.doRead()
        self.port.doRead()
        self.assertEqual(self.port.accepted, [AT_ONCE, AT_ONCE])

    def test_left_to_others(self) -> None:
        """One that has more than another leaves the next one to it, and is not asked about it meanwhile."""
        self.ahead = True
        self.port.doRead()
        self.assertEqual((self.port.accepted, self.port.reading), ([], False))
        self.clock.advance(LEFT)
        self.assertTrue(self.port.reading)

    def test_others_are_stuck(self) -> None:
        """What nobody else has taken by then it takes itself, and what comes then; later it asks again."""
        self.ahead = True
        self.port.doRead()
        self.clock.advance(LEFT)
        self.port.doRead()
        self.port.doRead()
        self.assertEqual(len(self.port.accepted), 2)
        self.clock.advance(TAKEN)
        self.port.doRead()
        self.assertEqual((len(self.port.accepted), self.port.reading), (2, False))

    def test_closed_meanwhile(self) -> None:
        """A port that closes while it leaves a connection to others does not open again."""
        self.ahead = True
        self.port.doRead()
        self.port.disconnecting = True
        self.clock.advance(LEFT)
        self.assertFalse(self.port.reading)
