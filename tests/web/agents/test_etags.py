"""Tests for L{llmproxy.web.agents.etags}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from llmproxy.web.agents.etags import is_known


class IsKnownTests(SynchronousTestCase):
    def test_table(self) -> None:
        """A list, a weak one, a star: as RFC 9110 section 13.1.2 has it."""
        for said, expected in (
            (None, False),
            (b"", False),
            (b'"a"', True),
            (b'W/"a"', True),
            (b'"b", W/"a"', True),
            (b'"b"', False),
            (b"a", False),
            (b" * ", True),
            (b'"a', False),
        ):
            request = DummyRequest([b""])
            if said is not None:
                request.requestHeaders.setRawHeaders(b"if-none-match", [said])
            self.assertEqual(is_known(request, b'"a"'), expected, said)
