"""Posts to receivers."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionRefusedError
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.receipts import PassingFailure
from llmproxy.sinks.httppost import MOST_READ, ask, post

from .eventing import Receiver


class PostTests(SynchronousTestCase):
    def test_own_fields(self) -> None:
        """We say who we are, unless the sink says otherwise."""
        receiver = Receiver()
        self.successResultOf(Deferred.fromCoroutine(post(receiver.agent, "http://x/", b"", {})))
        self.assertTrue(receiver.asked[0].headers["user-agent"].startswith("llmproxy/"))

    def test_long_answer(self) -> None:
        """Of an endless answer the beginning is read."""
        receiver = Receiver()
        receiver.answer = (200, b"x" * (MOST_READ * 3))
        answer = self.successResultOf(Deferred.fromCoroutine(ask(receiver.agent, "http://x/", b"", {})))
        self.assertEqual(len(answer.body), MOST_READ)

    def test_unreachable(self) -> None:
        """No answer may pass; what is said of it shows nothing of the URL."""

        class Away:
            def request(self, method: str, url: str, **keywords: object) -> Deferred[object]:
                return fail(ConnectionRefusedError(f"cannot {url}"))

        asking = Deferred.fromCoroutine(post(Away(), "http://x/?token=secret", b"", {}))
        failure = self.failureResultOf(asking, PassingFailure)
        self.assertIn("no answer", failure.getErrorMessage())
        self.assertNotIn("secret", failure.getErrorMessage())
