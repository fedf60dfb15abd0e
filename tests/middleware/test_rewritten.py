"""Tests for L{llmproxy.middleware.rewritten}."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from llmproxy.errors import UpstreamReset
from llmproxy.middleware.rewritten import Rewritten

from .fakes import HeldBody, Reader


class Upper:
    """Holds a byte back until it knows what comes next."""

    held = b""

    def feed(self, data: bytes) -> bytes:
        data, self.held = self.held + data[:-1], data[-1:]
        return data.upper()

    def end(self) -> bytes:
        return self.held.upper()


class RewrittenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.held, self.reader = HeldBody(), Reader()
        self.body = Rewritten(self.held, Upper())
        self.done = self.body.startProducing(self.reader)

    def test_whole(self) -> None:
        """What is held goes on at the end; nobody knows the length before."""
        self.held.write(b"abc")
        self.assertEqual(self.reader.data, b"AB")
        self.held.end()
        self.successResultOf(self.done)
        self.assertEqual((self.reader.data, self.body.length), (b"ABC", UNKNOWN_LENGTH))

    def test_cut(self) -> None:
        """What cuts the body within cuts this one."""
        self.held.fail(UpstreamReset())
        self.failureResultOf(self.done, UpstreamReset)

    def test_reader(self) -> None:
        """Who reads reaches the body within: pauses, goes on, stops; nothing is written after that."""
        self.body.pauseProducing()
        self.body.resumeProducing()
        self.body.stopProducing()
        self.assertEqual(self.held.calls[-3:], ["paused", "resumed", "stopped"])
        self.assertEqual(self.reader.data, b"")

    def test_cancelled(self) -> None:
        """Cancelling it cancels the body within."""
        self.done.cancel()
        self.failureResultOf(self.done, CancelledError)
        self.assertEqual(self.held.calls, ["cancelled"])
