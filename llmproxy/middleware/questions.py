"""Questions to an application's own parts, whose own cancellation is not that of a client that leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.python.failure import Failure


def asked(question: Callable[..., Any], about: Any, unanswered: Callable[[Failure], Failure]) -> Deferred[Any]:
    """
    What an application answers. Cancelling it fails with C{CancelledError} at once, and cancels the question.

    @param unanswered: makes of what the question fails with, a cancellation that is not the client's too, what the
        client is answered. Not called once the client has left.
    """

    def leave(answer: Deferred[Any]) -> None:
        answer.errback(CancelledError())
        asking.cancel()

    answer: Deferred[Any] = Deferred(leave)

    def failed(reason: Failure) -> None:
        if not answer.called:
            answer.errback(unanswered(reason))

    def answered(result: Any) -> None:
        if not answer.called:
            answer.callback(result)

    asking: Deferred[Any] = maybeDeferred(question, about)
    asking.addCallbacks(answered, failed)
    return answer
