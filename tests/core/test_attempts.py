"""Tests for L{llmproxy.core.attempts}."""

from __future__ import annotations

from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.attempts import may_repeat
from llmproxy.core.breaker import EVIDENCE
from llmproxy.errors import (
    OutOfResources,
    Progress,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamTlsError,
    UpstreamUnreachable,
)

METHODS = (b"GET", b"POST", b"DELETE")
NONE, SAFE_ONLY, ALL = (), (b"GET",), METHODS


class RepeatTests(SynchronousTestCase):
    def repeated(self, error: UpstreamError | OutOfResources, can_replay: bool = True) -> tuple[bytes, ...]:
        return tuple(method for method in METHODS if may_repeat(error, method, can_replay=can_replay))

    def test_table(self) -> None:
        """Which methods are sent again after which failure."""
        for error, expected in (
            # Nothing was sent.
            (UpstreamUnreachable(cause="refused"), ALL),
            (UpstreamUnreachable(cause="closed"), ALL),
            (UpstreamTimeout("connect"), ALL),
            (OutOfResources("no_ports"), ALL),
            (UpstreamReset(progress="unsent"), ALL),
            # It may have been acted on.
            (UpstreamReset(), SAFE_ONLY),
            (UpstreamTimeout("response_header"), SAFE_ONLY),
            (UpstreamError(), SAFE_ONLY),
            # An answer had begun.
            (UpstreamReset(progress="answered"), NONE),
            (UpstreamReset(cause="cut_short", progress="answered"), NONE),
            # It would be the same again.
            (UpstreamTlsError(cause="certificate"), NONE),
            (UpstreamProtocolError(), NONE),
        ):
            self.assertEqual(self.repeated(error), expected, repr(error))
            self.assertEqual(self.repeated(error, can_replay=False), NONE, repr(error))

    def test_methods(self) -> None:
        """Methods are compared as they are written, and one that nobody knows is not safe."""
        for method in (b"PUT", b"PATCH", b"BREW", b"get"):
            self.assertFalse(may_repeat(UpstreamReset(), method, can_replay=True), method)
        for method in (b"HEAD", b"OPTIONS"):
            self.assertTrue(may_repeat(UpstreamReset(), method, can_replay=True), method)

    def test_evidence(self) -> None:
        """What the breaker counts against the connection is what sent nothing; each error says how far it had come."""
        for error in (
            UpstreamUnreachable(),
            UpstreamTlsError(),
            UpstreamTimeout("connect"),
            OutOfResources("no_memory"),
            UpstreamReset(),
            UpstreamProtocolError(),
            UpstreamTimeout("silence"),
        ):
            self.assertIn(error.progress, get_args(Progress))
            if EVIDENCE[error.cause] == "connection":
                self.assertEqual(error.progress, "unsent", repr(error))
