"""Tests of L{llmproxy.middleware.overload}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.core.limits.places import Places
from llmproxy.errors import UpstreamReset
from llmproxy.limiterrors import Overloaded
from llmproxy.message import Principal
from llmproxy.middleware.overload import Overloading
from llmproxy.net.timers import TimerWheel
from llmproxy.usagelimits import Overload

from .fakes import PRINCIPAL, HeldBody, Inner, Reader, a_request, a_response


class OverloadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.inner = Inner()
        self.places = Places(0, 0)
        self.overload = Overloading(Overload(1, 1, 2.0), self.places, TimerWheel(self.clock))

    def ask(self, project: str = "p") -> Deferred[Any]:
        request = a_request(principal=Principal(PRINCIPAL.token, evolve(PRINCIPAL.project, id=project)))
        try:
            return self.overload.respond(request, self.inner)
        except Overloaded:
            failed: Deferred[Any] = Deferred()
            failed.errback()
            return failed

    def test_waits(self) -> None:
        """One runs, one waits until that has ended, the next is refused."""
        first, second, third = self.ask(), self.ask(), self.ask()
        error = self.failureResultOf(third, Overloaded).value
        self.assertEqual((error.status, error.code, dict(error.fields)), (503, "overloaded", {b"Retry-After": b"2"}))
        self.assertEqual(len(self.inner.requests), 1)
        self.inner.answer(a_response(200, BytesBody(b"x")))
        self.successResultOf(first)
        self.assertEqual(len(self.inner.requests), 2)
        self.inner.fail(UpstreamReset())
        self.failureResultOf(second, UpstreamReset)
        self.assertEqual((self.places.running, self.places.waiting), (0, 0))

    def test_streams(self) -> None:
        """A place is free when the body has ended, or is dropped."""
        for end in ("end", "stop"):
            responding, body = self.ask(), HeldBody()
            self.inner.answer(a_response(200, body))
            response = self.successResultOf(responding)
            self.assertEqual(self.places.running, 1, end)
            if end == "end":
                response.body.startProducing(Reader())
                body.end()
            else:
                response.body.stopProducing()
            self.assertEqual(self.places.running, 0, end)

    def test_late(self) -> None:
        """Nobody waits longer than may be."""
        self.ask()
        second = self.ask()
        self.clock.pump([0.1] * 25)
        self.failureResultOf(second, Overloaded)
        self.assertEqual(self.places.waiting, 0)

    def test_leaves(self) -> None:
        """A client that leaves while it waits has never had a place, and one that leaves later gives it back."""
        first, second = self.ask(), self.ask()
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertEqual((self.places.running, self.places.waiting), (1, 0))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(self.places.running, 0)
        self.clock.advance(5)

    def test_fair(self) -> None:
        """Where one project fills the queue, its last makes room for another's first."""
        self.overload = Overloading(Overload(1, 2, 2.0), self.places, TimerWheel(self.clock))
        first = self.ask("a")
        kept, dropped = self.ask("a"), self.ask("a")
        other = self.ask("b")
        self.failureResultOf(dropped, Overloaded)
        self.assertNoResult(kept)
        self.assertNoResult(other)
        self.inner.fail(UpstreamReset())
        self.failureResultOf(first, UpstreamReset)
        self.assertEqual([each.principal.project.id for each in self.inner.requests], ["a", "a"])

    def test_raises(self) -> None:
        """What fails before it is a Deferred has ended too."""

        def broken(request: object) -> Any:
            raise KeyError("fault")

        self.assertRaises(KeyError, self.overload.respond, a_request(principal=PRINCIPAL), broken)
        self.assertEqual(self.places.running, 0)
