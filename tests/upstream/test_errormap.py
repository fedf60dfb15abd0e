"""Tests for L{llmproxy.upstream.errormap}."""

from __future__ import annotations

import errno
import socket

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectBindError,
    ConnectError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TCPTimedOutError,
    TimeoutError,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web._newclient import ParseError, ResponseFailed, ResponseNeverReceived

from llmproxy.core.causes import cause_of
from llmproxy.errors import (
    ClientLeft,
    InternalError,
    OutOfResources,
    RateLimitExceeded,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamTlsError,
    UpstreamUnreachable,
)
from llmproxy.net.nameendpoint import NameServerTimeout
from llmproxy.upstream.errormap import translate


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

    def test_causes(self) -> None:
        """Each kind of failure can be told from the others."""
        name = VerificationError(errors=[])
        for raised, cause in (
            (DNSLookupError("no such host"), "name_not_found"),
            (DNSLookupError(socket.EAI_NONAME, "Name or service not known"), "name_not_found"),
            (DNSLookupError(socket.EAI_AGAIN, "Temporary failure in name resolution"), "name_server"),
            (DNSLookupError(socket.EAI_FAIL, "Non-recoverable failure in name resolution"), "name_server"),
            (ConnectionRefusedError(osError=111), "refused"),
            (NoRouteError(osError=101), "unroutable"),
            (ConnectError(osError=113), "unroutable"),
            (TimeoutError(), "connect_timeout"),
            (NameServerTimeout(), "name_server"),
            (TCPTimedOutError(osError=110), "connect_timeout"),
            (ConnectBindError(24, "Too many open files"), "too_many_files"),
            (ConnectBindError(99, "Cannot assign requested address"), "no_ports"),
            (OSError(24, "Too many open files"), "too_many_files"),
            (OSError(104, "Connection reset by peer"), "reset"),
            (ConnectError(osError=1), "unreachable"),
            (name, "certificate_name"),
            (SSL.Error([("SSL routines", "", "certificate verify failed")]), "certificate"),
            (SSL.Error([("SSL routines", "", "tlsv13 alert certificate required")]), "client_certificate"),
            (SSL.Error([("SSL routines", "", "wrong version number")]), "tls"),
            (ResponseFailed([Failure(ParseError("x", b"y"))]), "protocol"),
        ):
            self.assertEqual(cause_of(translate(Failure(raised))), cause, raised)

    def test_local(self) -> None:
        """What this machine lacks is no fault of upstream's."""
        for number in (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS):
            found = translate(Failure(ConnectBindError(number, "x")))
            self.assertIsInstance(found, OutOfResources)
            self.assertNotIsInstance(found, UpstreamError)

    def test_passes(self) -> None:
        """What is none of upstream's doing stays what it is."""
        for raised in (CancelledError(), ClientLeft(), RateLimitExceeded()):
            self.assertIs(translate(Failure(raised)), raised)

    def test_no_foreign_words(self) -> None:
        """The words of a foreign exception, which may hold an address, reach no client."""
        for raised in (DNSLookupError("secret-host.internal"), OSError("10.1.2.3"), ValueError("10.1.2.3")):
            self.assertNotIn(str(raised.args[0]), repr(translate(Failure(raised)).args))
