"""Tests for L{llmproxy.app.sinktrial}."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, execute, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.sinktrial import letters_kept, send_again, trial_event, try_sink
from llmproxy.config.sinks import SinkConfig
from llmproxy.core.events.encoding import encode
from llmproxy.core.events.letters import Redelivered, letter_time
from llmproxy.core.events.receipts import PassingFailure, PermanentFailure, Receipt
from llmproxy.sinks.deadletters import DeadLetters


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
    def __init__(self, sink: Sink, letters: DeadLetters | None = None) -> None:
        self._sink = sink
        self._letters = letters

    def sink(self, config: SinkConfig) -> Sink:
        return self._sink

    def letters(self, config: SinkConfig) -> DeadLetters | None:
        return self._letters

    def lane(self) -> Any:
        return execute


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


class AgainTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.letters = DeadLetters(os.path.join(self.mktemp(), "a.dead.jsonl"), 10_000)
        self.letters.append([encode(trial_event(0.0, "x"))], "answered 422", letter_time(-1.0))

    def again(self, sink: Sink, letters: DeadLetters | None) -> Redelivered:
        maker: Any = Maker(sink, letters)
        config = SinkConfig("a", "http")
        sending = Deferred.fromCoroutine(send_again(self.clock, maker, config))
        found: Redelivered = self.successResultOf(sending)
        return found

    def test_sent(self) -> None:
        """The letters go to a sink of their own, which is closed, whatever comes of it."""
        maker: Any = Maker(Sink(succeed(None)), self.letters)
        kept = self.successResultOf(Deferred.fromCoroutine(letters_kept(maker, SinkConfig("a", "http"))))
        self.assertEqual(kept.count, 1)
        for result, outcome in (
            (fail(PassingFailure("answered 503")), Redelivered(0, 0, 1, "answered 503")),
            (succeed(Receipt(200)), Redelivered(1, 0, 0, "", "200")),
        ):
            sink = Sink(result)
            self.assertEqual(self.again(sink, self.letters), outcome, result)
            self.assertEqual(sink.closed, 1, result)

    def test_none(self) -> None:
        """A sink that keeps no letters has none, and nothing is opened for them."""
        sink = Sink(succeed(None))
        self.assertEqual(self.again(sink, None), Redelivered())
        self.assertEqual((sink.events, sink.closed), ([], 0))
        kept = self.successResultOf(Deferred.fromCoroutine(letters_kept(Maker(sink), SinkConfig("a", "http"))))  # type: ignore[arg-type]
        self.assertEqual(kept.count, 0)
