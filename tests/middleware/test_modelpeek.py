"""Tests for L{llmproxy.middleware.modelpeek}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.core.budget import Budget
from llmproxy.errors import ClientLeft, RequestBodyTimeout, TooMuchWithheld
from llmproxy.message import Field
from llmproxy.middleware.modelpeek import model_in, peek
from llmproxy.net.timers import TimerWheel
from tests.tables import row

from .fakes import HeldBody, Reader, a_request, an_api

LIMIT = 1000
JSON = (b"Content-Type", b"application/json")


class PeekTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.budget = Budget(None)
        self.body = HeldBody()

    def look(self, *fields: Field, body: Any = None) -> Deferred[str]:
        self.request = a_request(fields=list(fields or (JSON,)), body=body or self.body, api=an_api())
        return peek(self.request, self.budget, TimerWheel(self.clock), LIMIT, 10.0)

    def read(self) -> Reader:
        reader = Reader()
        assert self.request.body is not None
        self.request.body.startProducing(reader)
        return reader

    def test_at_hand(self) -> None:
        """What is here is looked at at once; what is no JSON, or coded, says nothing."""
        body = BytesBody(b'{"model": "gpt-5"}')
        for fields, expected in (
            ((JSON,), "gpt-5"),
            (((b"X", b"y"),), "gpt-5"),
            (((b"Content-Type", b"multipart/form-data; boundary=x"),), ""),
        ):
            with row(fields):
                self.assertEqual(self.successResultOf(self.look(*fields, body=body)), expected)
        self.assertEqual(model_in(HeldBody()), "")

    def test_as_far_as_needed(self) -> None:
        """The body is read until the model has come, and what follows gets all of it."""
        looking = self.look()
        self.body.write(b'{"messages": ["' + b"x" * 100)
        self.assertNoResult(looking)
        self.body.write(b'"], "model": "o3", "n": ')
        self.assertEqual(self.successResultOf(looking), "o3")
        self.assertEqual(self.body.calls[-1], "paused")
        reader = self.read()
        self.body.write(b"1}")
        self.body.end()
        self.assertEqual(reader.data, b'{"messages": ["' + b"x" * 100 + b'"], "model": "o3", "n": 1}')

    def test_not_found(self) -> None:
        """At the end, and at the bound; the body is whole for what follows."""
        for end in (True, False):
            with row(end):
                self.body = HeldBody()
                looking = self.look()
                data = b'{"n": 1}' if end else b'{"text": "' + b"x" * LIMIT
                self.body.write(data)
                if end:
                    self.body.end()
                self.assertEqual(self.successResultOf(looking), "")
                self.assertEqual(self.read().data, data)

    def test_slow(self) -> None:
        """What comes too slowly is refused, and the client's upload is stopped."""
        looking = self.look()
        self.body.write(b"{")
        self.clock.pump([0.1] * 110)
        self.failureResultOf(looking, RequestBodyTimeout)
        self.assertEqual((self.body.calls[-1], self.budget.used), ("stopped", 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_memory(self) -> None:
        """Where no memory is left the request is refused: a part of it would be lost otherwise."""
        self.budget = Budget(10)
        looking = self.look()
        self.body.write(b"{" + b" " * 10)
        self.failureResultOf(looking, TooMuchWithheld)
        self.assertEqual((self.body.calls[-1], self.budget.used), ("stopped", 0))

    def test_broken(self) -> None:
        """A body that breaks is no answer."""
        looking = self.look()
        self.body.fail(ClientLeft())
        self.failureResultOf(looking, ClientLeft)

    def test_left(self) -> None:
        """A client that leaves leaves nothing behind."""
        looking = self.look()
        self.body.write(b"{")
        looking.cancel()
        self.failureResultOf(looking, CancelledError)
        self.assertEqual((self.body.calls[-1], self.budget.used), ("stopped", 0))
        self.clock.advance(100)
        self.assertEqual(self.clock.getDelayedCalls(), [])
