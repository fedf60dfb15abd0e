"""Sinks as a configuration has them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.sinks import SinkConfig, is_secret
from llmproxy.core.events.policy import SinkPolicy


class SinkConfigTests(SynchronousTestCase):
    def test_secrets(self) -> None:
        """What is secret by its name is known, and stands in no text of the value."""
        headers = {"X-Env": "production", "Authorization": "Bearer my-token", "X-Team": "0123456789abcdef"}
        settings = {"secret": "open sesame", "public_key": "pk", "url": "http://x", "headers": headers}
        sink = SinkConfig("hook", "http", settings=settings)
        self.assertEqual(set(sink.secrets()), {"open sesame", "Bearer my-token", "my-token", "0123456789abcdef"})
        self.assertNotIn("sesame", repr(sink))

    def test_names(self) -> None:
        """By which names a setting is a secret."""
        for name, secret in (
            ("secret", True),
            ("api_key", True),
            ("secret_key", True),
            ("Authorization", True),
            ("x-api-key", True),
            ("password", True),
            ("public_key", False),
            ("client_key", False),
            ("url", False),
            ("keep", False),
            ("max_tokens_seen", False),
        ):
            self.assertEqual(is_secret(name), secret, name)

    def test_defaults(self) -> None:
        """A sink of which nothing is said goes by the policy of all."""
        self.assertEqual(SinkConfig("a", "file").policy(), SinkPolicy())
        self.assertTrue(SinkConfig("a", "file").filter().wants_all_exchanges)
