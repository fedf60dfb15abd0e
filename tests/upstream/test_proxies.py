"""Tests for L{llmproxy.upstream.proxies}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ConfigError
from llmproxy.upstream.proxies import Proxies, Proxy, bypassed, is_address

BYPASSED = [
    # rules, host, port, whether it is reached directly
    ("", "up.example", 443, False),
    ("", "localhost", 80, True),
    ("", "LOCALHOST.", 80, True),
    ("", "127.0.0.1", 80, True),
    ("", "127.9.9.9", 80, True),
    ("", "::1", 80, True),
    ("", "192.0.2.1", 80, False),
    ("*", "up.example", 443, True),
    ("up.example", "up.example", 443, True),
    ("UP.example.", "up.EXAMPLE", 443, True),
    ("up.example", "a.up.example", 443, True),
    ("up.example", "notup.example", 443, False),
    (".up.example", "a.up.example", 443, True),
    (".up.example", "up.example", 443, False),
    ("*.up.example", "a.up.example", 443, True),
    ("*.up.example", "up.example", 443, False),
    ("a, up.example ,b", "up.example", 443, True),
    ("a b up.example", "up.example", 443, True),
    ("up.example:443", "up.example", 443, True),
    ("up.example:443", "up.example", 80, False),
    ("192.0.2.1", "192.0.2.1", 443, True),
    ("192.0.2.0/24", "192.0.2.77", 443, True),
    ("192.0.2.0/24", "192.0.3.77", 443, False),
    ("2001:db8::/32", "2001:db8::1", 443, True),
    ("[2001:db8::1]:443", "2001:db8::1", 443, True),
    ("[2001:db8::1]:443", "2001:db8::1", 80, False),
    ("192.0.2", "192.0.2.1", 443, False),
    (".", "up.example", 443, False),
    (",", "up.example", 443, False),
]


class ProxiesTests(SynchronousTestCase):
    def test_bypassed(self) -> None:
        """C{NO_PROXY} is read as the reference reads it, and this machine is never asked through a proxy."""
        for rules, host, port, expected in BYPASSED:
            self.assertIs(bypassed(host, port, rules), expected, (rules, host, port))

    def test_environment(self) -> None:
        """Each scheme has a proxy of its own, and all of them one where they have none; small letters win."""
        proxies = Proxies.from_environment(
            {
                "HTTP_PROXY": "http://one:1",
                "http_proxy": "http://two:2",
                "ALL_PROXY": "three:3",
                "NO_PROXY": "no.example",
            }
        )
        self.assertEqual(proxies.before(False, "up.example", 80), Proxy("two", 2))
        self.assertEqual(proxies.before(True, "up.example", 443), Proxy("three", 3))
        self.assertIsNone(proxies.before(True, "no.example", 443))

    def test_none(self) -> None:
        """Without any, or with empty ones, everything is reached directly."""
        for environment in ({}, {"HTTP_PROXY": "", "https_proxy": ""}):
            proxies = Proxies.from_environment(environment)
            self.assertIsNone(proxies.before(False, "up.example", 80), environment)
            self.assertIsNone(proxies.before(True, "up.example", 443), environment)

    def test_parts(self) -> None:
        """Port and credentials stand in the URL, percent-encoded where they need it."""
        proxy = Proxies.from_environment({"http_proxy": "http://us%65r:p%3Aw@proxy.example"}).http
        self.assertEqual(proxy, Proxy("proxy.example", 80, b"Basic dXNlcjpwOnc="))
        six = Proxies.from_environment({"http_proxy": "http://[2001:db8::1]:3128/"}).http
        self.assertEqual(six, Proxy("2001:db8::1", 3128))

    def test_not_known(self) -> None:
        """What cannot be obeyed is told, and not ignored; the password in it is not."""
        for value in (
            "socks5://user:secret@proxy:1",
            "https://user:secret@proxy",
            "http://user:secret@proxy:port",
            "http://",
        ):
            with self.assertRaises(ConfigError) as caught:
                Proxies.from_environment({"https_proxy": value})
            self.assertIn("HTTPS_PROXY", str(caught.exception))
            self.assertNotIn("secret", str(caught.exception))

    def test_no_secret_in_repr(self) -> None:
        """Nor does its representation tell it."""
        proxies = Proxies.from_environment({"http_proxy": "http://user:secret@proxy"})
        self.assertNotIn("dXNlcjpzZWNyZXQ", repr(proxies))

    def test_addresses(self) -> None:
        """An address is not a name."""
        self.assertEqual(
            [is_address(each) for each in ("192.0.2.1", "::1", "a.example", "1.2.3")], [True, True, False, False]
        )
