"""Tests for L{llmproxy.core.methods}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.methods import SAFE


class MethodTests(SynchronousTestCase):
    def test_safe(self) -> None:
        """Only what asks for nothing to be changed; PUT and DELETE are idempotent, and change something."""
        for method in (b"GET", b"HEAD", b"OPTIONS", b"TRACE"):
            self.assertIn(method, SAFE)
        for method in (b"PUT", b"DELETE", b"POST", b"PATCH", b"get", b""):
            self.assertNotIn(method, SAFE)
