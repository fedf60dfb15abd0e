"""Forms: only pages of ours can send one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.csrf import is_from_here, is_token, token_for


class TokenTests(SynchronousTestCase):
    def test_of_one_session(self) -> None:
        """A token is good for the session that it was made for, and another one each time."""
        one, other = token_for("secret", b"a" * 16), token_for("secret", b"b" * 16)
        self.assertNotEqual(one, other)
        self.assertTrue(is_token("secret", one) and is_token("secret", other))
        for secret, token in (
            ("another", one),
            ("", token_for("", b"a" * 16)),
            ("secret", ""),
            ("secret", one[:-1]),
            ("secret", one[:32] + other[32:]),
            ("secret", "x" * 96),
            ("secret", "\u00e4" * 96),
        ):
            self.assertFalse(is_token(secret, token), (secret, token))


class OriginTests(SynchronousTestCase):
    def test_origins(self) -> None:
        """The origin is that of the request; behind an unknown proxy it may be the same one over TLS."""
        for origin, fetch_site, scheme, host, here in (
            ("http://proxy.example", "", "http", "proxy.example", True),
            ("http://proxy.example:80", "", "http", "proxy.example", True),
            ("http://PROXY.example:8080", "", "http", "proxy.example:8080", True),
            ("https://proxy.example", "", "http", "proxy.example", True),
            ("https://proxy.example", "", "https", "proxy.example:443", True),
            ("http://[::1]:8080", "", "http", "[::1]:8080", True),
            ("http://proxy.example", "", "https", "proxy.example", False),
            ("http://proxy.example:81", "", "http", "proxy.example", False),
            ("http://evil.example", "same-origin", "http", "proxy.example", False),
            ("http://proxy.example.evil", "", "http", "proxy.example", False),
            ("http://proxy.example@evil.example", "", "http", "evil.example", False),
            ("null", "same-origin", "http", "proxy.example", False),
            ("http://proxy.example:x", "", "http", "proxy.example", False),
            ("", "same-origin", "http", "proxy.example", True),
            ("", "same-site", "http", "proxy.example", False),
            ("", "", "http", "proxy.example", False),
            ("http://proxy.example", "", "http", "", False),
        ):
            self.assertEqual(is_from_here(origin, fetch_site, scheme, host), here, (origin, fetch_site, scheme, host))
