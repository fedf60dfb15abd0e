"""Tests for L{llmproxy.management.checks}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import BadRequest, Unprocessable
from llmproxy.management.checks import MAX_MINUTES, check_api_key, check_expiry, check_max_requests, check_name

from ..tables import row


class CheckTests(SynchronousTestCase):
    def test_names(self) -> None:
        """A name can be seen."""
        check_name("Ünï 漢字 🦆")
        check_name("🦆" * 255)
        for name in (" ", "\u200b", "a\u202eb", "n" * 256):
            with row(name):
                self.assertRaises(Unprocessable, check_name, name)

    def test_max_requests(self) -> None:
        """A limit is one that every JSON parser keeps exactly."""
        for limit in (None, 0, 2**53 - 1):
            check_max_requests(limit)
        for limit in (-1, 2**53):
            with row(limit):
                self.assertRaises(BadRequest, check_max_requests, limit)

    def test_expiry(self) -> None:
        """An expiry lies ahead, by a year at most."""
        for seconds in (0.001, MAX_MINUTES * 60.0):
            check_expiry(1000.0 + seconds, 1000.0)
        for seconds in (0.0, -1.0, MAX_MINUTES * 60.0 + 1):
            with row(seconds):
                self.assertRaises(Unprocessable, check_expiry, 1000.0 + seconds, 1000.0)

    def test_keys(self) -> None:
        """A key that we show is none that could be used."""
        for key in ("sk-abcd...wxyz", "sk****", "..."):
            with row(key):
                self.assertRaises(BadRequest, check_api_key, key)
        check_api_key("sk-a.b.c-***d")
