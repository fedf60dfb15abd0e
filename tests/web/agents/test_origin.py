"""Tests for L{llmproxy.web.agents.origin}."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from llmproxy.core.forwarded import trusted_proxies
from llmproxy.errors import BadRequest
from llmproxy.web.agents.origin import origin_of


def request(peer: str = "192.0.2.1", **fields: str) -> Any:
    made = DummyRequest([b""])
    made.client = IPv4Address("TCP", peer, 1)
    made.isSecure = lambda: False
    for name, value in fields.items():
        made.requestHeaders.setRawHeaders(name.replace("_", "-"), [value])
    return made


class OriginTests(SynchronousTestCase):
    def test_origins(self) -> None:
        """What is configured, then what a trusted proxy says, then the request itself."""
        trusted = trusted_proxies(["192.0.2.1"])
        https = {"x_forwarded_proto": "https", "x_forwarded_host": "llm.example"}
        for asked, proxies, public, expected in (
            (request(host="a.example:8080"), None, "", "http://a.example:8080"),
            (request(host="[::1]:8080"), None, "", "http://[::1]:8080"),
            (request(host="a.example", **https), trusted, "", "https://llm.example"),
            (request("192.0.2.2", host="a.example", **https), trusted, "", "http://a.example"),
            (request(host="a.example", **https), None, "", "http://a.example"),
            (request(), None, "https://llm.example/", "https://llm.example"),
        ):
            self.assertEqual(origin_of(asked, proxies, public), expected, (asked.requestHeaders, public))

    def test_none(self) -> None:
        """A Host that is none makes no address."""
        self.assertRaises(BadRequest, origin_of, request(), None)
        self.assertRaises(BadRequest, origin_of, request(host="a.example/x?"), None)
