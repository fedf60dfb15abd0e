"""Questions to an application, and who cancelled them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import Unavailable
from llmproxy.middleware.questions import asked


class AskedTests(SynchronousTestCase):
    def ask(self, answer: Any) -> Deferred[Any]:
        self.reasons: list[Failure] = []

        def question(about: str) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        def unanswered(reason: Failure) -> Failure:
            self.reasons.append(reason)
            return Failure(Unavailable())

        return asked(question, "a", unanswered)

    def test_answers(self) -> None:
        """A value, at once or later, is the answer."""
        for answer in (3, succeed(3)):
            self.assertEqual(self.successResultOf(self.ask(answer)), 3, answer)

    def test_failures(self) -> None:
        """What it fails with, a cancellation of its own too, is made what the client is answered."""
        cancelled: Deferred[None] = Deferred()
        cancelled.cancel()
        for answer in (OSError(), CancelledError(), cancelled):
            self.failureResultOf(self.ask(answer), Unavailable)
            self.assertEqual(len(self.reasons), 1, answer)

    def test_client_leaves(self) -> None:
        """The question is cancelled, and whatever it says then is for nobody."""
        for canceller in (None, lambda asking: asking.callback(3), lambda asking: asking.errback(OSError())):
            asking: Deferred[Any] = Deferred(canceller)
            answer = self.ask(asking)
            answer.cancel()
            self.failureResultOf(answer, CancelledError)
            self.assertEqual((asking.called, self.reasons), (True, []), canceller)
