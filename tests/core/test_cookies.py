"""Cookies of ours stay here, and nobody else can set one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.cookies import cookies_of, is_ours, own, set_cookie, without_ours, without_set_ours


class CookieTests(SynchronousTestCase):
    def test_taken_out(self) -> None:
        """Ours are taken out of a request; what is left is as it was."""
        for value, left in (
            (b"a=1; b=2", b"a=1; b=2"),
            (b"a=1;b=2", b"a=1;b=2"),
            (b"llmproxy_session=x", b""),
            (b"a=1; llmproxy_session=x; b=2", b"a=1; b=2"),
            (b"__Host-llmproxy_session=x; a=1", b"a=1"),
            (b"__Secure-LLMPROXY_session=x;a=1", b"a=1"),
            (b"a=llmproxy_session", b"a=llmproxy_session"),
            (b" llmproxy_visitor=1;llmproxy_reader=2", b""),
            (b"=llmproxy_session=x; a=1", b"a=1"),
            (b"", b""),
        ):
            self.assertEqual(without_ours(value), left, value)

    def test_not_set(self) -> None:
        """Whatever a browser would keep as one of ours is not passed on."""
        for value, ours in (
            (b"llmproxy_session=x; Path=/", True),
            (b"__Host-llmproxy_session=x; Path=/; Secure", True),
            (b"__hOST-llmproxy_session=x", True),
            (b" LLMPROXY_visitor =x", True),
            (b"=llmproxy_session=x", True),
            (b"== __Secure-llmproxy_x=1", True),
            (b"session=llmproxy_session", False),
            (b"my_llmproxy_session=x", False),
            (b"a=1", False),
        ):
            self.assertEqual(is_ours(value), ours, value)
            fields = [(b"Set-Cookie", value), (b"set-cookie", b"other=1"), (b"X-Other", value)]
            self.assertEqual(without_set_ours(fields), fields[1:] if ours else fields, value)

    def test_read(self) -> None:
        """Of a name that stands there twice the first counts."""
        self.assertEqual(cookies_of("a=1; b=x=y; a=2;c; =d"), {"a": "1", "b": "x=y"})
        self.assertEqual(cookies_of('a="1"; b=\u00e4'), {})

    def test_own(self) -> None:
        """Over TLS only a cookie counts that was set so; elsewhere both."""
        both = {"x": "clear", "__Host-x": "tls"}
        for cookies, secure, found in (
            (both, True, "tls"),
            (both, False, "tls"),
            ({"x": "clear"}, True, ""),
            ({"x": "clear"}, False, "clear"),
            ({}, False, ""),
        ):
            self.assertEqual(own(cookies, "x", secure), found, (cookies, secure))

    def test_set(self) -> None:
        """A cookie is for no script and no other site, and what would be another field is refused."""
        self.assertEqual(set_cookie("x", "1", secure=False), "x=1; Path=/; HttpOnly; SameSite=Lax")
        self.assertEqual(
            set_cookie("x", "", secure=True, max_age=0, strict=True),
            "__Host-x=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0",
        )
        for value in ("a;b", "a b", "a\r\nSet-Cookie: y=1", "\u00e4", 'a"'):
            self.assertRaises(ValueError, set_cookie, "x", value, secure=False)
