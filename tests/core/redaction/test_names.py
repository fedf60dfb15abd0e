"""Names of what is secret."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.notable import KEY_FIELDS, OFFER
from llmproxy.core.redaction.names import is_credential, is_secret


class NameTests(SynchronousTestCase):
    def test_secrets(self) -> None:
        """Members that are named for a secret, in any spelling."""
        for name in (
            "api_key",
            "apiKey",
            "API-KEY",
            "apikey",
            "x-api-key",
            "openai_api_key",
            "password",
            "passwd",
            "client_secret",
            "clientSecret",
            "secret",
            "access_token",
            "accessToken",
            "authorization_token",
            "Authorization",
            "token",
            "Cookie",
            "credentials",
            "private_key",
            "aws.secret_access_key",
        ):
            self.assertTrue(is_secret(name), name)

    def test_others(self) -> None:
        """What only sounds like one, or is what models are asked with, is none."""
        for name in (
            "max_tokens",
            "maxTokens",
            "prompt_tokens",
            "completion_tokens_details",
            "key",
            "keys",
            "prompt_cache_key",
            "tokenizer",
            "author",
            "content",
            "secretary",
            "stop_token",
            "total_tokens_used",
            "passage",
            "k" * 5000,
        ):
            self.assertFalse(is_secret(name), name)

    def test_credentials(self) -> None:
        """Header fields that carry a key of any vendor's, ours, or a cookie."""
        for name in (
            *(each.decode() for each in (*KEY_FIELDS, OFFER)),
            "cookie",
            "set-cookie",
            "proxy-authorization",
            "x-auth-token",
            "ocp-apim-subscription-key",
            "x-amz-security-token",
            "x-csrf-token",
            "x-hub-signature",
            "x-functions-key",
        ):
            self.assertTrue(is_credential(name), name)
        for name in ("content-type", "user-agent", "x-request-id", "openai-organization", "x-team", "idempotency-id"):
            self.assertFalse(is_credential(name), name)
