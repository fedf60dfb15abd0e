"""Tests for L{llmproxy.core.redirects}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.redirects import REFERRING, led_back
from llmproxy.origin import Origin, Upstream

SECURE = Origin("https", "up.example", 443, b"up.example")
LOCAL = Origin("http", "127.0.0.1", 8000, b"127.0.0.1:8000")
SIX = Origin("http", "::1", 80, b"[::1]")
UP = (Upstream(SECURE),)
HERE = b"https://llm.example:8443"


class ReferenceTests(SynchronousTestCase):
    def led(self, value: bytes, origin: Origin = SECURE, base: bytes = b"", prefix: bytes = b"") -> bytes:
        ((name, led),) = led_back([(b"LOCATION", value)], REFERRING, (Upstream(origin, base),), HERE, prefix)
        self.assertEqual(name, b"LOCATION")
        return led

    def test_back(self) -> None:
        """What points to upstream points to the proxy, by the address at which the client reached it."""
        for value, origin, base, prefix, expected in (
            (b"https://up.example/v1/files/a%2Fb?x=/", SECURE, b"", b"", HERE + b"/v1/files/a%2Fb?x=/"),
            (b"https://UP.Example:443/v1", SECURE, b"", b"/openai", HERE + b"/openai/v1"),
            (b"HTTPS://up.example", SECURE, b"", b"/openai", HERE + b"/openai/"),
            (b"https://up.example?upload_id=1", SECURE, b"", b"", HERE + b"/?upload_id=1"),
            (b"https://up.example#part", SECURE, b"", b"/a", HERE + b"/a/#part"),
            (b"http://up.example/v1/", SECURE, b"", b"", HERE + b"/v1/"),
            (b"//up.example/v1/", SECURE, b"", b"/a", HERE + b"/a/v1/"),
            (b"http://127.0.0.1:8000/x", LOCAL, b"", b"/local", HERE + b"/local/x"),
            (b"http://[::1]:80/x", SIX, b"", b"", HERE + b"/x"),
            (b"https://up.example/base/v1/x", SECURE, b"/base", b"/a", HERE + b"/a/v1/x"),
            (b"https://up.example/base", SECURE, b"/base", b"/a", HERE + b"/a/"),
            (b"https://up.example/base?x", SECURE, b"/base", b"", HERE + b"/?x"),
            # Relative to the root of a server: the client's root is the proxy's.
            (b"/v1/x", SECURE, b"", b"/openai", b"/openai/v1/x"),
            (b"/base/v1/x", SECURE, b"/base", b"/llm/a", b"/llm/a/v1/x"),
        ):
            self.assertEqual(self.led(value, origin, base, prefix), expected, value)

    def test_several(self) -> None:
        """What points to any upstream of an API points to the proxy; of two that fit, the longer path is meant."""
        upstreams = (Upstream(SECURE), Upstream(SECURE, b"/base"), Upstream(LOCAL, b"/local"))
        for value, expected in (
            (b"https://up.example/v1", HERE + b"/a/v1"),
            (b"https://up.example/base/v1", HERE + b"/a/v1"),
            (b"http://127.0.0.1:8000/local/v1", HERE + b"/a/v1"),
            (b"http://127.0.0.1:8000/base/v1", b"http://127.0.0.1:8000/base/v1"),
            (b"/local/v1", b"/a/v1"),
            (b"/v1", b"/a/v1"),
        ):
            self.assertEqual(
                led_back([(b"Location", value)], REFERRING, upstreams, HERE, b"/a"), [(b"Location", expected)], value
            )

    def test_untouched(self) -> None:
        """What points elsewhere keeps every byte."""
        for value, origin, base in (
            (b"https://files.example/x", SECURE, b""),
            (b"https://up.example.evil/x", SECURE, b""),
            (b"https://up.example@evil.example/x", SECURE, b""),
            (b"https://key@up.example/x", SECURE, b""),
            (b"https://up.example:8443/x", SECURE, b""),
            (b"https://up.example:80/x", SECURE, b""),
            (b"https://127.0.0.1:8000/x", LOCAL, b""),
            (b"http://127.0.0.1/x", LOCAL, b""),
            (b"ftp://up.example/x", SECURE, b""),
            (b"https://up.example/other", SECURE, b"/base"),
            (b"https://up.example/basement", SECURE, b"/base"),
            (b"/other", SECURE, b"/base"),
            (b"v1/x", SECURE, b""),
            (b"?next=https://up.example/x", SECURE, b""),
            (b"#https://up.example/", SECURE, b""),
            (b"", SECURE, b""),
            (b"https:///x", SECURE, b""),
        ):
            self.assertEqual(self.led(value, origin, base, b"/a"), value, (value, origin, base))

    def test_fields(self) -> None:
        """Every field that leads somewhere is led back, as often as it stands there; others only mention."""
        fields = [(name.title(), b"https://up.example/v1") for name in sorted(REFERRING - {b"refresh"})] * 2
        others = [(b"Link", b"<https://up.example/v1>; rel=next"), (b"X-Note", b"https://up.example/v1")]
        found = led_back(fields + others, REFERRING, UP, HERE, b"")
        self.assertEqual(found, [(name, HERE + b"/v1") for name, _ in fields] + others)

    def test_refresh(self) -> None:
        """C{Refresh} has its reference behind a number."""
        for value, expected in (
            (b"5; url=https://up.example/v1", b"5; url=" + HERE + b"/v1"),
            (b"0;URL='https://up.example/v1'", b"0;URL='" + HERE + b"/v1'"),
            (b"5", b"5"),
            (b"5; url=https://else.example/", b"5; url=https://else.example/"),
        ):
            ((_, found),) = led_back([(b"Refresh", value)], REFERRING, UP, HERE, b"")
            self.assertEqual(found, expected, value)

    def test_no_host(self) -> None:
        """A client of HTTP/1.0 that named no host is led by a path."""
        self.assertEqual(
            led_back([(b"Location", b"https://up.example/v1")], REFERRING, UP, b"", b"/a"), [(b"Location", b"/a/v1")]
        )

    def test_no_other_host(self) -> None:
        """Slashes that upstream doubled never become the name of a host."""
        for value, base in ((b"https://up.example//evil.example/", b""), (b"/base//evil.example/", b"/base")):
            for here, expected in ((b"", b"/evil.example/"), (HERE, HERE + b"/evil.example/")):
                ((_, found),) = led_back([(b"Location", value)], REFERRING, (Upstream(SECURE, base),), here, b"")
                self.assertEqual(found, expected if value[:1] == b"h" else b"/evil.example/", here)

    @given(st.binary(max_size=40))
    def test_any_bytes(self, value: bytes) -> None:
        """Whatever a value holds, it is rewritten at its beginning or not at all."""
        led = self.led(b"https://up.example/" + value, prefix=b"/a")
        self.assertEqual(led, HERE + b"/a/" + value)
        self.assertEqual(self.led(b"https://else.example/" + value), b"https://else.example/" + value)
