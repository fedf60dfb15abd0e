"""Tests for L{llmproxy.apisettings}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import ApiSettings, BreakerSettings, ConnectionSettings


class ApiSettingsTests(SynchronousTestCase):
    def test_nothing_said(self) -> None:
        """An API of which nothing is said is guarded, not cached, and tells upstream nothing of the client."""
        settings = ApiSettings()
        self.assertEqual(
            (settings.cache, settings.breaker, settings.forwarded_fields), (None, BreakerSettings(), "strip")
        )

    def test_no_secret_is_shown(self) -> None:
        """Where a private key is, is nobody's business."""
        self.assertNotIn("canary", repr(ConnectionSettings(client_key="canary.pem")))
