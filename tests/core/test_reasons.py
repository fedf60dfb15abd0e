"""Tests for L{llmproxy.core.reasons}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy import errors
from llmproxy.core.reasons import REASONS, reason_of


def _all(kind: type[errors.ProxyError]) -> list[type[errors.ProxyError]]:
    return [kind, *(below for each in kind.__subclasses__() for below in _all(each))]


class ReasonTests(SynchronousTestCase):
    def test_registered(self) -> None:
        """The statuses that Twisted has no words for have those of the registry."""
        for status, phrase in (
            (200, b"OK"),
            (408, b"Request Timeout"),
            (413, b"Content Too Large"),
            (422, b"Unprocessable Content"),
            (426, b"Upgrade Required"),
            (429, b"Too Many Requests"),
            (431, b"Request Header Fields Too Large"),
            (504, b"Gateway Timeout"),
            (508, b"Loop Detected"),
        ):
            self.assertEqual(reason_of(status), phrase, (status, phrase))

    def test_own_errors(self) -> None:
        """Every status that the proxy answers with by itself has its words."""
        self.assertEqual([kind for kind in _all(errors.ProxyError) if not reason_of(kind.status)], [])

    def test_unknown(self) -> None:
        """What nobody has registered has none; none of them could end its line."""
        self.assertEqual(reason_of(599), b"")
        self.assertTrue(all(phrase.isascii() and phrase.decode().isprintable() for phrase in REASONS.values()))
