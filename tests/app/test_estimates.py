"""Tests for L{llmproxy.app.estimates}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.estimates import HELD, MOST, WITHIN, Estimates
from llmproxy.message import Record
from llmproxy.providers.estimation import Call
from llmproxy.usage import UNKNOWN, Usage

CALL = Call(b'{"prompt":"a b"}', b'{"response":"c"}', b"application/json", model="m")


def words(text: str, model: str) -> int:
    return len(text.split())


def a_record() -> Record:
    return Record("r", "POST", "/v1", "c", 0.0, usage=UNKNOWN)


class Later:
    """Threads whose work is done when the test says so."""

    def __init__(self) -> None:
        self.work: list[tuple[Any, Deferred[Any]]] = []
        self.stopped = False

    def start(self) -> None:
        pass

    def run(self, call: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.work.append((call, done))
        return done

    def stop(self) -> None:
        self.stopped = True

    def do(self) -> None:
        call, done = self.work.pop(0)
        try:
            done.callback(call())
        except Exception:
            done.errback()


class EstimatesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.said: list[tuple[str, str]] = []
        self.calls: list[tuple[str, Usage | None, bool]] = []
        self.estimates = Estimates(self.clock, lambda *what: self.said.append(what), words)
        self.threads = Later()
        self.estimates._threads = self.threads  # type: ignore[assignment]
        self.seal = self.estimates.after(lambda record: self.note("sealed", record))
        self.publish = self.estimates.after(lambda record: self.note("published", record))

    def note(self, what: str, record: Record) -> None:
        self.calls.append((what, record.usage, record.estimated))

    def test_postponed(self) -> None:
        """An exchange is recorded when its estimate is there, in order; another one at once."""
        record = a_record()
        self.estimates.estimate(record, CALL)
        self.seal(record)
        self.publish(record)
        self.seal(a_record())
        self.assertEqual(self.calls, [("sealed", UNKNOWN, False)])
        self.threads.do()
        usage = Usage(input_tokens=2, output_tokens=1)
        self.assertEqual(self.calls[1:], [("sealed", usage, True), ("published", usage, True)])
        self.assertEqual((self.estimates.budget.used, self.clock.getDelayedCalls()), (0, []))

    def test_before(self) -> None:
        """One that is there before the exchange ends is in its record."""
        record = a_record()
        self.estimates.estimate(record, CALL)
        self.threads.do()
        self.seal(record)
        self.assertEqual([estimated for _, _, estimated in self.calls], [True])

    def test_failed(self) -> None:
        """What cannot be estimated stays unknown, which is said without a word of the answer."""
        for call in (Call(b"no secret", b"{}", b"application/json"), Call(b"[]", b"{}", b"application/json")):
            record = a_record()
            self.estimates.estimate(record, call)
            self.seal(record)
            self.threads.do()
            self.assertEqual(self.calls.pop(), ("sealed", UNKNOWN, False), call)
        [(kind, why)] = self.said
        self.assertEqual(kind, "estimate")
        self.assertNotIn("secret", why)

    def test_too_late(self) -> None:
        """An exchange does not wait for ever, and does not change once it is recorded."""
        record = a_record()
        self.estimates.estimate(record, CALL)
        self.seal(record)
        self.clock.advance(WITHIN)
        self.assertEqual(self.calls, [("sealed", UNKNOWN, False)])
        self.threads.do()
        self.assertEqual((record.usage, len(self.calls), len(self.said)), (UNKNOWN, 1, 1))

    def test_bounds(self) -> None:
        """No more wait than may, and no more bytes."""
        for _ in range(MOST + 5):
            self.estimates.estimate(a_record(), CALL)
        self.assertEqual(len(self.threads.work), MOST)
        other = Estimates(self.clock, self.fail, words)
        other._threads = threads = Later()  # type: ignore[assignment]
        other.budget.lease().take(HELD - 10)
        other.estimate(a_record(), CALL)
        self.assertEqual(threads.work, [])

    def test_stop(self) -> None:
        """At the end what is under way is recorded without."""
        record = a_record()
        self.estimates.estimate(record, CALL)
        self.seal(record)
        self.estimates.stop()
        self.estimates.stop()
        self.assertEqual((self.calls, self.threads.stopped), ([("sealed", UNKNOWN, False)], True))
        self.threads.do()
        self.assertEqual((record.usage, record.estimated), (UNKNOWN, False))
        self.estimates.estimate(a_record(), CALL)
        self.assertEqual(self.threads.work, [])

    def test_without_threads(self) -> None:
        """A reactor of tests counts where it stands."""
        record = a_record()
        Estimates(self.clock, self.fail, words).estimate(record, CALL)
        self.assertEqual((record.usage, record.estimated), (Usage(input_tokens=2, output_tokens=1), True))
