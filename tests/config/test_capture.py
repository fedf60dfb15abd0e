"""Tests for L{llmproxy.config.capture}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import CaptureSettings, RedactRule
from llmproxy.config import APIProviderConfig
from llmproxy.config.capture import CaptureConfig
from llmproxy.origin import CredentialPlace


class CaptureConfigTests(SynchronousTestCase):
    def test_program(self) -> None:
        """A program says the same as a file."""
        redact: Any = ["$.user", {"regex": "x"}, "email"]
        rules = (RedactRule("path", "$.user"), RedactRule("regex", "x"), RedactRule("pattern", "email"))
        self.assertEqual(CaptureConfig(redact=redact).settings(), CaptureSettings(redact=rules))
        self.assertRaises(ValueError, CaptureConfig(redact=("no-pattern",)).settings)

    def test_credentials(self) -> None:
        """Fields with credentials are refused, those too in which this API alone wants its key."""
        place = CredentialPlace("header", b"X-Our-Pass", b"")
        config = CaptureConfig(headers=("Authorization", "x-our-pass", "x-team"))
        self.assertEqual(config.credentials([place]), ["Authorization", "x-our-pass"])
        api = APIProviderConfig(base_url="http://a", auth=place, capture=config)
        self.assertEqual(
            [sentence for key, sentence in api.contradictions() if key == "capture"],
            [
                "capture: headers: Authorization carries a credential, and is never captured",
                "capture: headers: x-our-pass carries a credential, and is never captured",
            ],
        )
