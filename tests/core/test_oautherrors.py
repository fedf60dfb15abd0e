"""Tests for L{llmproxy.core.oautherrors}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.oautherrors import OAuthRefusal


class RefusalTests(SynchronousTestCase):
    def test_status(self) -> None:
        """400, unless something else is said."""
        refusal = OAuthRefusal("slow_down", "ask less often")
        self.assertEqual((refusal.code, refusal.status, refusal.retry_after), ("slow_down", 400, None))
        self.assertEqual(OAuthRefusal("temporarily_unavailable", status=503, retry_after=5).retry_after, 5)
