"""Tests for L{llmproxy.app.sinktrial}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.sinktrial import try_sink
from llmproxy.config.sinks import SinkConfig
from llmproxy.core.events.receipts import PassingFailure, PermanentFailure, Receipt


class Sink:
    """@ivar events: what it got."""

    def __init__(self, result: Deferred[Any]) -> None:
        self.result = result
        self.events: list[Any] = []
        self.closed = 0

    def deliver(self, batch: Any) -> Deferred[Any]:
        self.events += batch
        return self.result

    def close(self) -> None:
        self.closed += 1


class Maker:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def sink(self, config: SinkConfig) -> Sink:
        return self._sink


class TrialTests(SynchronousTestCase):
    def tried(self, result: Deferred[Any]) -> Deferred[Any]:
        self.sink = Sink(result)
        self.clock = Clock()
        maker: Any = Maker(self.sink)
        return Deferred.fromCoroutine(try_sink(self.clock, maker, SinkConfig("a", "http"), "a trial"))

    def test_taken(self) -> None:
        """One event, which says what it is; the sink is closed."""
        self.assertEqual(self.successResultOf(self.tried(succeed(Receipt(200, "ok")))), Receipt(200, "ok"))
        [event] = self.sink.events
        self.assertEqual((event.request_id, event.details), ("llmproxy-sinks-test", {"test": "a trial"}))
        self.assertEqual(self.sink.closed, 1)

    def test_refused(self) -> None:
        """What it fails with is what is raised."""
        self.failureResultOf(self.tried(fail(PermanentFailure("400"))), PermanentFailure)
        self.assertEqual(self.sink.closed, 1)

    def test_silent(self) -> None:
        """A receiver that never answers is not waited for for ever."""
        trying = self.tried(Deferred())
        self.clock.advance(SinkConfig("a", "http").timeout)
        self.failureResultOf(trying, PassingFailure)
        self.assertEqual((self.sink.closed, self.clock.getDelayedCalls()), (1, []))
