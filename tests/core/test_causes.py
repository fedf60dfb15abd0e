"""Tests for L{llmproxy.core.causes}."""

from __future__ import annotations

import errno
from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.causes import LOCAL, PHRASES, cause_of, cause_of_number, described
from llmproxy.errors import (
    OutOfResources,
    RateLimitExceeded,
    UpstreamProtocolError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from llmproxy.message import Cause


class CauseTests(SynchronousTestCase):
    def test_each_has_words(self) -> None:
        """No cause is without a sentence."""
        self.assertEqual(set(PHRASES), set(get_args(Cause)))

    def test_numbers(self) -> None:
        """What the kernel says of opening a connection; what it never said is no particular cause."""
        for number, cause in (
            (errno.ECONNREFUSED, "refused"),
            (errno.ENETUNREACH, "unroutable"),
            (errno.EHOSTUNREACH, "unroutable"),
            (errno.ETIMEDOUT, "connect_timeout"),
            (errno.EMFILE, "too_many_files"),
            (errno.ENFILE, "too_many_files"),
            (errno.EADDRNOTAVAIL, "no_ports"),
            (errno.ENOBUFS, "no_memory"),
            (errno.EPERM, "unreachable"),
            (None, "unreachable"),
        ):
            self.assertEqual(cause_of_number(number), cause, (number, cause))

    def test_errors(self) -> None:
        """A failure of upstream, or of reaching it, has a cause; a refusal has none."""
        self.assertEqual(cause_of(UpstreamTimeout("silence")), "silence_timeout")
        self.assertEqual(cause_of(OutOfResources("no_ports")), "no_ports")
        self.assertIn(cause_of(OutOfResources("no_ports")), LOCAL)
        for other in (RateLimitExceeded(), ValueError(), None):
            self.assertIsNone(cause_of(other), other)


class DescribedTests(SynchronousTestCase):
    def test_which_and_what(self) -> None:
        """A client reads which provider it was, and what kind of failure."""
        for error, said in (
            (UpstreamUnreachable(cause="refused"), "openai cannot be reached: the connection was refused"),
            (UpstreamProtocolError("no such status"), "openai sent what is not a valid HTTP answer: no such status"),
            (UpstreamTimeout("connect"), "openai cannot be reached: no connection within timeouts.connect"),
            (RateLimitExceeded("of 5"), "of 5"),
        ):
            self.assertEqual(described(error, "openai"), said, (error, said))

    def test_no_api(self) -> None:
        self.assertEqual(described(UpstreamTimeout("request"), ""), "upstream took longer than timeouts.request")
