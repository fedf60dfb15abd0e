"""Tests for L{llmproxy.upstream.fieldheaders}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from llmproxy.upstream.fieldheaders import FieldHeaders

PAIRS = [(b"x-ODD", b"1"), (b"Accept", b"a"), (b"X-odd", b"2")]


class FieldHeadersTests(SynchronousTestCase):
    def test_pairs(self) -> None:
        """Our own client has the pairs as they were given."""
        self.assertIs(FieldHeaders(PAIRS).pairs, PAIRS)

    def test_as_headers(self) -> None:
        """A stock client has ordinary headers, all values of a name together."""
        headers = FieldHeaders(PAIRS)
        self.assertEqual(headers.getRawHeaders(b"X-Odd"), [b"1", b"2"])
        self.assertTrue(headers.hasHeader("accept"))
        self.assertEqual(
            sorted(value for _, values in headers.getAllRawHeaders() for value in values), [b"1", b"2", b"a"]
        )

    def test_copy(self) -> None:
        """A stock client works on a copy, and adds to it what it likes."""
        headers = FieldHeaders(list(PAIRS))
        copy = headers.copy()
        copy.addRawHeader(b"Cookie", b"x")
        self.assertIsInstance(copy, Headers)
        self.assertEqual(copy.getRawHeaders(b"cookie"), [b"x"])
        self.assertEqual(headers.pairs, PAIRS)
