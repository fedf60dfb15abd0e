"""Tests for L{llmproxy.app.healthchecks}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.healthchecks import LONGEST, Checked, HealthChecks
from llmproxy.bodies import BytesBody
from llmproxy.core.upstreamstate import UpstreamState
from llmproxy.errors import UpstreamUnreachable
from llmproxy.message import Field
from llmproxy.origin import HealthCheck
from tests.middleware.fakes import HeldBody, an_upstream


class Response:
    def __init__(self, code: int, body: Any = None) -> None:
        self.code, self.body = code, body


class Client:
    """@ivar asked: what was sent, and what the test answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, bytes, bytes, list[Field]]] = []
        self.pending: list[Deferred[Any]] = []
        self.cancelled = 0

    def destination(self, origin: bytes, server_name: str = "") -> Any:
        return origin, server_name

    def send(self, destination: Any, method: bytes, target: bytes, fields: list[Field], body: None) -> Deferred[Any]:
        self.asked.append((destination, method, target, fields))
        self.pending.append(Deferred(lambda _: self._cancel()))
        return self.pending[-1]

    def _cancel(self) -> None:
        self.cancelled += 1


class HealthChecksTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.client, self.state = Clock(), Client(), UpstreamState()
        self.checks = self.made()

    def made(self) -> HealthChecks:
        health = HealthCheck("/health", interval=10.0, timeout=2.0, healthy=2, unhealthy=3)
        upstream = an_upstream(
            name="a", path_prefix=b"/v9", health=health, server_name="sni.example", host=b"h.example"
        )
        return HealthChecks(self.clock, [Checked("openai", upstream, self.state, self.client)])  # type: ignore[arg-type]

    def answer(self, *codes: int) -> None:
        for code in codes:
            self.client.pending.pop().callback(Response(code, BytesBody(b"ok")))
            self.clock.advance(10)

    def test_asked(self) -> None:
        """It is asked at once, at the root of its origin and by its own names, with nobody's key."""
        self.checks.start()
        self.checks.start()
        [(destination, method, target, fields)] = self.client.asked
        self.assertEqual(destination, (b"https://api.example", "sni.example"))
        self.assertEqual((method, target), (b"GET", b"/health"))
        self.assertEqual(fields, [(b"Host", b"h.example"), (b"User-Agent", b"llmproxy-health")])
        self.answer(200)
        self.assertEqual((len(self.client.asked), self.state.unwell), (2, False))
        self.checks.stop()

    def test_unwell(self) -> None:
        """A status that is not expected is enough, missing answers are so in a row; then it has to be well twice."""
        self.checks.start()
        self.answer(503)
        self.assertEqual(self.state.standing(self.clock.seconds(), circuit_open=False), "resting")
        self.answer(200)
        self.assertTrue(self.state.unwell)
        self.answer(200)
        self.assertFalse(self.state.unwell)
        self.assertLess(self.state.back_for(self.clock.seconds()), 11)
        for missed in range(3):
            self.assertFalse(self.state.unwell, missed)
            if missed == 1:
                self.client.pending.pop().errback(UpstreamUnreachable(cause="refused"))
            else:
                self.clock.advance(2)
            self.clock.advance(10)
        self.assertEqual((self.state.unwell, self.client.cancelled), (True, 2))
        self.checks.stop()

    def test_body(self) -> None:
        """An answer that does not come whole in time is none; of a long one no more is read than has to be."""
        self.checks.start()
        for _ in range(3):
            held = HeldBody()
            self.client.pending.pop().callback(Response(200, held))
            self.clock.advance(2)
            self.assertEqual(held.calls, ["cancelled"])
            self.clock.advance(10)
        self.assertTrue(self.state.unwell)
        for _ in range(2):
            held = HeldBody()
            self.client.pending.pop().callback(Response(200, held))
            held.write(b"x" * (LONGEST + 1))
            self.assertEqual(held.calls, ["stopped"])
            self.clock.advance(10)
        self.assertFalse(self.state.unwell)
        self.checks.stop()

    def test_stop(self) -> None:
        """Nothing is left, whether a check runs, waits or was never made; what was cut says nothing."""
        for state in ("never", "runs", "waits"):
            self.setUp()
            if state != "never":
                self.checks.start()
            if state == "waits":
                self.client.pending.pop().callback(Response(200))
            self.checks.stop()
            self.checks.start()
            self.clock.advance(100)
            self.assertEqual(self.clock.getDelayedCalls(), [], state)
            self.assertEqual((self.client.cancelled, self.state.unwell), (int(state == "runs"), False), state)

    def test_next_generation(self) -> None:
        """What was found unwell stays so until it passes as often as it has to."""
        self.state.unwell = True
        self.checks = self.made()
        self.checks.start()
        self.answer(200)
        self.assertTrue(self.state.unwell)
        self.answer(200)
        self.assertFalse(self.state.unwell)
        self.checks.stop()
