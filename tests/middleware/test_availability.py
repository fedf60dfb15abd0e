"""Tests for L{llmproxy.middleware.availability}."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import Draining, Unavailable
from llmproxy.middleware.availability import Availability

from .fakes import Inner, a_request, a_response


class WhileOpenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.started: Deferred[None] = Deferred()
        self.draining = False
        self.inner = Inner()
        self.gate = Availability(self.started, lambda: self.draining)

    def test_open(self) -> None:
        """What comes in between goes on, and is answered as it is further in."""
        self.started.callback(None)
        responding = self.gate.respond(a_request(), self.inner)
        response = a_response()
        self.inner.answer(response)
        self.assertIs(self.successResultOf(responding), response)

    def test_too_early(self) -> None:
        """Whoever comes before the database is open is told to come again in a second."""
        error = self.assertRaises(Unavailable, self.gate.respond, a_request(), self.inner)
        self.assertEqual((error.fields, self.inner.requests), (((b"Retry-After", b"1"),), []))

    def test_too_late(self) -> None:
        """Whoever comes while the proxy stops is told to come again when there may be another."""
        self.started.callback(None)
        self.draining = True
        error = self.assertRaises(Draining, self.gate.respond, a_request(), self.inner)
        self.assertEqual((error.fields, self.inner.requests), (((b"Retry-After", b"5"),), []))
