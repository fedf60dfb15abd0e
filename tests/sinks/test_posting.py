"""POSTs to receivers that answer, are silent, or say too much."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import PotentialDataLoss

from llmproxy.core.events.receipts import PassingFailure, PermanentFailure
from llmproxy.sinks.posting import MOST, Answer, Poster, refused

from ..tables import row
from .receiver import FakeAgent, FakeResponse, tools


class PosterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.agent = FakeAgent()
        self.poster = Poster(tools(self.agent), "http://r/in", {"Authorization": "Bearer k"})

    def post(self) -> Deferred[Answer]:
        return Deferred.fromCoroutine(self.poster.post(b"{}"))

    def test_request(self) -> None:
        """A POST of JSON with the fields that were asked for; what is answered comes back as it is."""
        self.agent.answers = lambda _: (503, {"a": 1})
        self.agent.headers = {"Retry-After": "7"}
        self.assertEqual(self.successResultOf(self.post()), Answer(503, b'{"a": 1}', 7.0))
        fields = {"Authorization": "Bearer k", "Content-Type": "application/json", "User-Agent": "llmproxy"}
        self.assertEqual(self.agent.requests, [("POST", "http://r/in", fields, b"{}")])

    def test_away(self) -> None:
        """A receiver that cannot be asked may be there later; why stands in one line without a key."""
        self.agent.answers = lambda _: ConnectionRefusedError("no\nBearer abcdefghijkl")
        why = str(self.failureResultOf(self.post(), PassingFailure).value)
        self.assertIn("cannot be asked: ", why)
        self.assertNotIn("\n", why)
        self.assertNotIn("abcdefghijkl", why)

    def response(self) -> FakeResponse:
        response = FakeResponse(207, b"", {})
        response.body = None
        self.agent.answers = lambda _: response
        return response

    def test_too_much(self) -> None:
        """Of a receiver that never stops, a bounded part is read, and the connection closed."""
        response = self.response()
        post = self.post()
        for _ in range(5):
            response.send(b"x" * (MOST // 4))
        self.assertTrue(response.transport.disconnecting)
        response.end(ConnectionError("closed here"))
        self.assertEqual(len(self.successResultOf(post).body), MOST)

    def test_cut(self) -> None:
        """An answer that is cut short is none; one that ends with its connection is one."""
        for reason, expected in ((ConnectionError("reset"), None), (PotentialDataLoss(), b"[]")):
            with row(reason):
                response = self.response()
                post = self.post()
                response.send(b"[]")
                response.end(reason)
                if expected is None:
                    self.failureResultOf(post, PassingFailure)
                else:
                    self.assertEqual(self.successResultOf(post).body, expected)

    def test_cancelled(self) -> None:
        """An attempt that is given up closes its connection, before its answer has begun and after."""
        self.agent.answers = lambda _: None
        before = self.post()
        before.cancel()
        self.failureResultOf(before, CancelledError)
        self.assertEqual(self.agent.given_up, 1)
        response = self.response()
        within = self.post()
        within.cancel()
        self.failureResultOf(within, CancelledError)
        self.assertTrue(response.transport.disconnecting)
        response.end()

    def test_refused(self) -> None:
        """What a status means is what it means for all sinks."""
        for status, kind in (
            (400, PermanentFailure),
            (401, PassingFailure),
            (429, PassingFailure),
            (500, PassingFailure),
        ):
            with row(status):
                failure: Any = refused(Answer(status, b"no", 3.0), 2)
                self.assertIsInstance(failure, kind)
                self.assertEqual((failure.delivered, failure.receipt.text), (2, "no"))
        self.assertEqual(getattr(refused(Answer(429, b"", 3.0)), "retry_after", None), 3.0)
