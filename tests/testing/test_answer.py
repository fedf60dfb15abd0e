"""An answer as a client gets it."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.message import ApiResponse
from llmproxy.testing import MemoryAnswer
from tests.middleware.fakes import HeldBody


class AnswerTests(SynchronousTestCase):
    def test_grows(self) -> None:
        """Head, pieces, end; each can be looked at when it is there."""
        responding: Deferred[ApiResponse] = Deferred()
        answer, body = MemoryAnswer(responding), HeldBody()
        self.assertEqual((answer.status, answer.ended), (None, False))
        responding.callback(ApiResponse(200, b"", [(b"X-One", b"1")], body))
        self.assertEqual((answer.status, answer.header("x-one"), answer.header("x-two")), (200, "1", None))
        body.write(b'{"a":')
        self.assertRaises(ValueError, answer.json)
        answer.pause()
        answer.resume()
        body.write(b"1}")
        body.end()
        self.assertEqual((answer.json(), answer.ended, body.calls), ({"a": 1}, True, ["paused", "resumed"]))
        answer.leave()

    def test_without_body(self) -> None:
        """An answer without content has ended with its head."""
        answer = MemoryAnswer(succeed(ApiResponse(204, b"", [])))
        self.assertEqual((answer.status, answer.body, answer.ended, answer.failure), (204, b"", True, None))

    def test_failed(self) -> None:
        """What broke off says why."""
        answer = MemoryAnswer(fail(OSError("x")))
        assert answer.failure is not None
        self.assertEqual((answer.status, answer.ended, answer.failure.type), (None, True, OSError))

    def test_leaves(self) -> None:
        """A client that leaves cancels what it waits for, once."""
        body = HeldBody()
        answer = MemoryAnswer(succeed(ApiResponse(200, b"", [], body)))
        answer.leave()
        answer.leave()
        self.assertEqual((body.calls, answer.ended), (["cancelled"], True))
