"""Tests for L{llmproxy.upstream.faults}."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TimeoutError,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web._newclient import ParseError, ResponseFailed, ResponseNeverReceived

from llmproxy.errors import (
    ClientLeft,
    InternalError,
    RateLimitExceeded,
    UpstreamProtocolError,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamTlsError,
    UpstreamUnreachable,
)
from llmproxy.upstream.faults import translate


class TranslateTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What Twisted and OpenSSL raise, in our words."""
        for raised, expected in (
            (ConnectionRefusedError(), UpstreamUnreachable),
            (NoRouteError(), UpstreamUnreachable),
            (DNSLookupError("no such host"), UpstreamUnreachable),
            (TimeoutError(), UpstreamTimeout),
            (SSL.Error([("a", "b", "certificate verify failed")]), UpstreamTlsError),
            (ConnectionDone(), UpstreamReset),
            (ConnectionLost(), UpstreamReset),
            (ResponseNeverReceived([Failure(ConnectionLost())]), UpstreamReset),
            (ResponseFailed([Failure(ParseError("x", b"y"))]), UpstreamProtocolError),
            (ResponseFailed([Failure(ConnectionDone()), Failure(ParseError("x", b"y"))]), UpstreamProtocolError),
            (KeyError("a bug"), InternalError),
        ):
            self.assertIs(type(translate(Failure(raised))), expected, raised)

    def test_passes(self) -> None:
        """What is none of upstream's doing stays what it is."""
        for raised in (CancelledError(), ClientLeft(), RateLimitExceeded()):
            self.assertIs(translate(Failure(raised)), raised)

    def test_no_foreign_words(self) -> None:
        """The words of a foreign exception, which may hold an address, reach no client."""
        for raised in (DNSLookupError("secret-host.internal"), OSError("10.1.2.3"), ValueError("10.1.2.3")):
            self.assertNotIn(str(raised.args[0]), repr(translate(Failure(raised)).args))
