"""Tests for L{llmproxy.web.requestids}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.identifiers import MAX_ID
from llmproxy.message import Trace
from llmproxy.web.requestids import id_fields, known_as, request_ids


class RequestIdTests(SynchronousTestCase):
    def test_unique(self) -> None:
        """No two requests of a process share an id, nor do two processes."""
        one, other = request_ids(), request_ids()
        self.assertEqual(len({one() for _ in range(100)} | {other() for _ in range(100)}), 200)

    def test_client_knows_better(self) -> None:
        """A client's own id is kept, so that its logs and ours match."""
        self.assertEqual(known_as([(b"x-request-ID", b"abc-1"), (b"USER-agent", b"curl/8")]), ("abc-1", "curl/8", None))

    def test_refused_ids(self) -> None:
        """What could confuse a log is no id."""
        for value in (b"", b"a b", b"a\x7fb", b"\xe9", b"x" * (MAX_ID + 1)):
            self.assertEqual(known_as([(b"X-Request-ID", value)]), ("", "", None), value)

    def test_trace(self) -> None:
        """The trace that a client names is known, with its state, however many fields that is in."""
        parent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        fields = [(b"TraceParent", parent), (b"tracestate", b"a=1"), (b"user-agent", b"u"), (b"Tracestate", b"b=2")]
        _, agent, trace = known_as(fields)
        self.assertEqual(agent, "u")
        self.assertEqual(trace, Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 1, "a=1,b=2"))
        self.assertIsNone(known_as([(b"tracestate", b"a=1")])[2])
        self.assertIsNone(known_as([(b"traceparent", parent), (b"traceparent", parent)])[2])

    def test_fields(self) -> None:
        """Both SDKs find it."""
        self.assertEqual(id_fields("a-1"), ((b"X-Request-ID", b"a-1"), (b"request-id", b"a-1")))
