"""Tests for L{llmproxy.workers.child}; those of what it says to its parent are in test_supervisor.py."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.workers.child import Worker
from llmproxy.workers.ipc import message

from ..tables import row


class Parent:
    """@ivar gone: the workers that have ended."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.gone: list[Worker] = []
        self.asked: list[int] = []

    def ended(self, worker: Worker, reason: Failure) -> None:
        self.gone.append(worker)

    def reload_for(self, asker: Worker, number: int) -> None:
        self.asked.append(number)


class Transport:
    pid = 7

    def writeToChild(self, fd: int, data: bytes) -> None:
        pass


class WorkerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.parent: Any = Parent()
        self.worker = Worker(self.parent, 0, {})
        self.worker.makeConnection(Transport())
        self.worker.started.addErrback(lambda reason: None)

    def say(self, kind: str, **values: Any) -> None:
        self.worker.childDataReceived(3, message(kind, **values))

    def test_answers(self) -> None:
        """What of each answer is the answer; one to a question that nobody waits for any more is dropped."""
        for kind, values, expected in (
            ("purged", {"count": 3}, 3),
            ("flushed", {}, None),
            ("drained", {}, None),
            ("prepared", {"problems": ["x"]}, ["x"]),
        ):
            with row(self, kind):
                asked = self.worker.ask("anything", 1)
                self.say(kind, number=1, **values)
                self.assertEqual(self.successResultOf(asked), expected)
                self.say(kind, number=1, **values)

    def test_asks(self) -> None:
        """A worker asks its parent to reload."""
        self.say("reload_all", number=9)
        self.assertEqual(self.parent.asked, [9])

    def test_dies(self) -> None:
        """What was asked fails, and the parent hears of it."""
        asked = self.worker.ask("metrics", 1)
        self.worker.processEnded(Failure(ProcessTerminated(signal=9)))
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(self.parent.gone, [self.worker])
