"""Names of what is secret."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.masking import MASKED
from llmproxy.core.notable import KEY_FIELDS, OFFER
from llmproxy.core.redaction.names import is_credential, is_secret, without_assigned, without_quoted
from tests.tables import row


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


class AssignedTests(SynchronousTestCase):
    def test_table(self) -> None:
        """In a text that is no JSON, what stands behind the name of a secret is masked, and nothing else."""
        for text, shown in (
            ("password: hunter2", f"password: {MASKED}"),
            ("export API_KEY=abc def", f"export API_KEY={MASKED} def"),
            ("{'password': 'two words', 'a': 'b'}", f"{{'password': '{MASKED}', 'a': 'b'}}"),
            ('{"password":"hunter2",}', f'{{"password":"{MASKED}",}}'),
            ('{"password":"hunt', f'{{"password":"{MASKED}"'),
            ("a=1&client_secret=x&b=2", f"a=1&client_secret={MASKED}&b=2"),
            ("secret => x", f"secret => {MASKED}"),
            ("Authorization: Bearer abc", f"Authorization: Bearer {MASKED}"),
            ("Authorization: Token abc", f"Authorization: {MASKED}"),
            ("Authorization: Bearer  abc", f"Authorization: Bearer {MASKED}"),
            ("Cookie: a=b; c=d\nHost: x", f"Cookie: {MASKED}\nHost: x"),
            ("curl -H 'Authorization: ApiKey abc' https://x", f"curl -H 'Authorization: {MASKED}' https://x"),
            ("password: true, token: null", "password: true, token: null"),
            ("max_tokens: 5, key: value", "max_tokens: 5, key: value"),
            ("the secret of it: patience", "the secret of it: patience"),
            ("x" * 20_000 + "\npassword: a\nb", "x" * 20_000 + f"\npassword: {MASKED}\nb"),
        ):
            with row(text[-60:]):
                self.assertEqual(without_assigned(text), shown)

    def test_quoted(self) -> None:
        """In what people write, secrets in quoted objects and header fields are masked, and passwords of URLs."""
        for text, shown in (
            ('You said: {"password":"a\\"b", "n": "x"}', f'You said: {{"password":"{MASKED}", "n": "x"}}'),
            ("it is {'api_key': 'abc'}", f"it is {{'api_key': '{MASKED}'}}"),
            (r'as {"x": "{\"secret\": \"abc\"}"}', rf'as {{"x": "{{\"secret\": \"{MASKED}\"}}"}}'),
            ('cut: {"token": "ab', f'cut: {{"token": "{MASKED}"'),
            ("GET / HTTP/1.1\nCookie: a=b; c=d\nHost: x", f"GET / HTTP/1.1\nCookie: {MASKED}\nHost: x"),
            ("postgres://me:abc@db/x and a@b.c", f"postgres://me:{MASKED}@db/x and a@b.c"),
            ("https://x/a:b?c=@d", "https://x/a:b?c=@d"),
            ("def next(token: str, password=None): pass", "def next(token: str, password=None): pass"),
            ("the authorization: who may do it", "the authorization: who may do it"),
            ("my password: hunter2", "my password: hunter2"),
        ):
            with row(text):
                self.assertEqual(without_quoted(text), shown)
