"""Tests for L{llmproxy.workers.reloading}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.settings import Settings
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.errors import ConfigError
from llmproxy.workers.ipc import unpacked
from llmproxy.workers.reloading import WITHIN, take_in_all

from ..tables import row

SETTINGS = Settings(APIConfig({"a": APIProviderConfig("http://127.0.0.1:1", ["/v1"], ["GET"])}, "a"))


class Worker:
    """Answers as the test has it."""

    def __init__(self, number: int, **answers: Deferred[Any]) -> None:
        self.number = number
        self.answers = {"prepare": succeed([]), "commit": succeed([]), **answers}
        self.asked: list[str] = []

    def ask(self, kind: str, number: int, **values: Any) -> Deferred[Any]:
        self.asked.append(kind)
        if kind == "prepare":
            assert unpacked(values["apis"]) == SETTINGS.apis
        return self.answers[kind]


class TakeInAllTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.adopted = 0
        self.replaced: list[Worker] = []

    def take(self, *workers: Worker) -> Deferred[None]:
        def adopt() -> None:
            self.adopted += 1
            self.assertTrue(all(each.asked == ["prepare"] for each in workers))

        return Deferred.fromCoroutine(
            take_in_all(self.clock, lambda: workers, lambda: 1, SETTINGS, adopt, self.replaced.append)
        )

    def test_all(self) -> None:
        """All prepare before any takes it; a worker that starts in between begins with it."""
        workers = [Worker(0), Worker(1)]
        self.successResultOf(self.take(*workers))
        self.assertEqual([each.asked for each in workers], [["prepare", "commit"]] * 2)
        self.assertEqual((self.adopted, self.replaced), (1, []))

    def test_none(self) -> None:
        """One that cannot, dies or does not answer keeps all from taking it."""
        for name, answer, seconds in (
            ("cannot", succeed(["no file"]), 0),
            ("dies", fail(RuntimeError()), 0),
            ("is stuck", Deferred(), WITHIN),
        ):
            with row(self, name):
                workers = [Worker(0), Worker(1, prepare=answer)]
                taking = self.take(*workers)
                self.clock.advance(seconds)
                error = self.failureResultOf(taking, ConfigError).value
                self.assertIn("worker 1: ", str(error))
                self.assertEqual(([each.asked for each in workers], self.adopted), ([["prepare"]] * 2, 0))

    def test_replaced(self) -> None:
        """One that has prepared it and cannot take it is replaced by one that begins with it."""
        workers = [Worker(0), Worker(1, commit=succeed(["it has started meanwhile"]))]
        self.successResultOf(self.take(*workers))
        self.assertEqual(self.replaced, [workers[1]])
