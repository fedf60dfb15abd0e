"""What is said to who signs in, and where they go on to."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.backend import ApiError
from llmproxy.admin.signinwords import local_path, why_not

from ..tables import row


class WhyNotTests(SynchronousTestCase):
    def test_words(self) -> None:
        for status, message, wait, client, words in (
            (401, "management token has expired", 0, "", "This token has expired."),
            (401, "management token has been revoked", 0, "", "This token has been revoked."),
            (401, "authentication failed", 0, "", "This token is not known here. Check it and try again."),
            (429, "x", 0, "192.0.2.1", "Too many failed attempts from 192.0.2.1. Try again in 60 seconds."),
            (429, "x", 119, "", "Too many failed attempts from this address. Try again in 119 seconds."),
            (429, "x", 121, "", "Too many failed attempts from this address. Try again in 3 minutes."),
            (503, "x", 0, "", "The proxy cannot answer now. Try again."),
        ):
            with row(status, message, wait):
                self.assertEqual(why_not(ApiError(status, "x", message, retry_after=wait), client), words)


class LocalPathTests(SynchronousTestCase):
    def test_ours(self) -> None:
        for path in ("/", "/projects?search=x", "/projects/..a", "/x%2F"):
            with row(path):
                self.assertEqual(local_path(path), path)

    def test_elsewhere(self) -> None:
        """What a browser would take for another site, or for what is above the pages."""
        for path in (
            *("", "projects", "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)"),
            *("/sign-in", "/sign-out?x", "/../manage", "/a/%2e%2E/b", "/a/./b", "/a\\b", "/a\n", "/é", "/" * 2001),
        ):
            with row(path):
                self.assertEqual(local_path(path), "")
