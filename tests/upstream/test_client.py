"""Tests for L{llmproxy.upstream.client}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import ConnectionSettings
from llmproxy.errors import Draining, UpstreamTimeout
from llmproxy.upstream.client import PooledClient

from .wire import EMPTY, Wire

LINES = [
    # URL, request line, Host
    ("http://192.0.2.1/a%2Fb?c=%7e", b"GET /a%2Fb?c=%7e HTTP/1.1", b"Host: 192.0.2.1"),
    ("HTTP://192.0.2.1:81/", b"GET / HTTP/1.1", b"Host: 192.0.2.1:81"),
    ("http://192.0.2.1", b"GET / HTTP/1.1", b"Host: 192.0.2.1"),
    ("http://192.0.2.1?x", b"GET /?x HTTP/1.1", b"Host: 192.0.2.1"),
    ("http://[2001:db8::1]:81/x", b"GET /x HTTP/1.1", b"Host: [2001:db8::1]:81"),
]

REFUSED = [
    "ftp://192.0.2.1/",
    "192.0.2.1/",
    "http:///x",
    "http://user:secret@192.0.2.1/",
    "http://192.0.2.1:x/",
    "http://192.0.2.1:65536/",
    "http://192.0.2.1/a b",
    "http://192.0.2.1/a\r\nX: y",
]


class PooledClientTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()

    def sent(self, method: Any = "GET", url: Any = "http://192.0.2.1/", **more: Any) -> list[bytes]:
        """The lines of a request, as upstream gets them."""
        before = len(self.wire.sockets)
        self.asking = self.wire.client.request(method, url, **more)
        if len(self.wire.attempts) > before:
            self.wire.accept()
        return self.wire.sockets[-1].heard().split(b"\r\n")

    def test_targets(self) -> None:
        """What follows the authority goes on the wire as it is, and the authority into C{Host}."""
        for url, line, host in LINES:
            self.wire = Wire()
            self.assertEqual(self.sent(url=url)[:2], [line, host], url)
            self.assertEqual(self.sent(url=url.encode())[:2], [line, host], url)

    def test_refused(self) -> None:
        """What is no URL of HTTP, or would be more than one line, is not asked for; the reason tells no password."""
        for url in REFUSED:
            reason = self.failureResultOf(self.wire.client.request("GET", url), ValueError)
            self.assertNotIn("secret", str(reason.value))
        self.assertEqual(self.wire.attempts, [])

    def test_methods(self) -> None:
        """Methods have a case, and are text or bytes."""
        self.assertEqual(self.sent("get")[0], b"get / HTTP/1.1")
        self.wire = Wire()
        self.assertEqual(self.sent(b"BREW")[0], b"BREW / HTTP/1.1")

    def test_nothing_is_added(self) -> None:
        """No field goes out that nobody gave, but for C{Host} and the framing."""
        self.assertEqual(self.sent(), [b"GET / HTTP/1.1", b"Host: 192.0.2.1", b"", b""])

    def test_headers(self) -> None:
        """Headers are what treq takes."""
        lines = self.sent(headers={"x-a": "1", b"X-B": [b"2", b"3"]})
        self.assertEqual([line.lower() for line in lines[2:5]], [b"x-a: 1", b"x-b: 2", b"x-b: 3"])

    def test_content(self) -> None:
        """So is content: bytes, JSON, a form; the parameters go into the target."""
        self.assertEqual(self.sent("POST", data=b"abc")[-2:], [b"", b"abc"])
        self.wire = Wire()
        lines = self.sent("POST", json={"a": 1})
        self.assertEqual((lines[-1], any(b"application/json" in line for line in lines)), (b'{"a":1}', True))
        self.wire = Wire()
        lines = self.sent("POST", data={"a": "b c"})
        self.assertEqual((lines[-1], any(b"form-urlencoded" in line for line in lines)), (b"a=b+c", True))
        self.wire = Wire()
        self.assertEqual(self.sent(url="http://192.0.2.1/x?a=1", params={"b": "2 3"})[0], b"GET /x?a=1&b=2+3 HTTP/1.1")

    def test_no_browser(self) -> None:
        """What would be kept for the next caller, or ask elsewhere, is refused loudly."""
        for option in ({"cookies": {"a": "b"}}, {"auth": ("user", "secret")}, {"allow_redirects": True}):
            self.assertRaises(TypeError, self.wire.client.request, "GET", "http://192.0.2.1/", **option)
        self.sent(allow_redirects=False, unbuffered=True)

    def test_no_cookie_is_kept(self) -> None:
        """A cookie of one answer does not go out with the next request; a redirect is not followed."""
        self.sent()
        answer = b"HTTP/1.1 302 Found\r\nSet-Cookie: a=b\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n"
        self.wire.sockets[0].say(answer)
        self.assertEqual(self.successResultOf(self.asking).code, 302)
        self.assertEqual(self.sent(), [b"GET / HTTP/1.1", b"Host: 192.0.2.1", b"", b""])

    def test_timeout(self) -> None:
        """An answer that does not begin in time is none, and its connection is closed."""
        self.sent(timeout=2.0)
        self.wire.reactor.pump([0.1] * 25)
        self.assertEqual(self.failureResultOf(self.asking, UpstreamTimeout).value.phase, "response_header")
        self.assertTrue(self.wire.sockets[0].aborted)

    def test_in_time(self) -> None:
        """One that does leaves no timer of its."""
        self.sent(timeout=2.0)
        self.wire.sockets[0].say(EMPTY)
        self.successResultOf(self.asking)
        self.assertEqual(self.wire.quiet(), [])

    def test_cancelled(self) -> None:
        """Who leaves has the connection closed, or not opened."""
        self.sent()
        self.asking.cancel()
        self.failureResultOf(self.asking, CancelledError)
        self.assertTrue(self.wire.sockets[0].aborted)

    def test_interim(self) -> None:
        """Interim responses are told as they come, but for 100."""
        told: list[Any] = []
        self.sent(on_interim=lambda *interim: told.append(interim))
        socket = self.wire.sockets[0]
        socket.say(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\nKeep-Alive: 5\r\n\r\n")
        self.assertEqual(told, [(103, b"Early Hints", [(b"Link", b"x")])])
        self.assertNoResult(self.asking)
        socket.say(EMPTY)
        self.successResultOf(self.asking)

    def test_absolute_form(self) -> None:
        """A proxy on the way is asked in absolute form, with its credentials."""
        self.wire = Wire({"http_proxy": "http://user:pass@192.0.2.8:3128"})
        lines = self.sent(url="http://up.example/x")
        self.assertEqual(lines[:2], [b"GET http://up.example/x HTTP/1.1", b"Host: up.example"])
        self.assertIn(b"Proxy-Authorization: Basic dXNlcjpwYXNz", lines)
        self.assertEqual(self.wire.attempts[0][:2], ("192.0.2.8", 3128))

    def test_environment_is_not_looked_at(self) -> None:
        """Unless it is to be."""
        self.wire = Wire({"http_proxy": "http://192.0.2.8:3128"}, proxy_from_environment=False)
        self.sent()
        self.assertEqual(self.wire.attempts[0][0], "192.0.2.1")

    def test_close(self) -> None:
        """A closed client asks nobody any more, and leaves no timer of its own."""
        self.sent()
        closing = self.wire.client.close()
        self.failureResultOf(self.asking, Draining)
        self.wire.turn()
        self.successResultOf(closing)
        self.failureResultOf(self.wire.client.request("GET", "http://192.0.2.1/"), Draining)
        self.assertEqual(self.wire.reactor.getDelayedCalls(), [])

    def test_own_wheel(self) -> None:
        """It needs no more than a reactor."""
        client = PooledClient(self.wire.reactor, ConnectionSettings(proxy_from_environment=False))
        self.successResultOf(client.close())
