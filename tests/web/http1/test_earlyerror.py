"""Tests for L{llmproxy.web.http1.earlyerror}."""

from __future__ import annotations

import json

import h11
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http11 import Refusal, content_too_large, fields_too_large, malformed, target_too_long, too_slow
from llmproxy.web.http1.earlyerror import refusal_response

REFUSALS = [
    (malformed("request line"), 400, b"Bad Request"),
    (too_slow("head"), 408, b"Request Timeout"),
    (content_too_large(), 413, b"Content Too Large"),
    (target_too_long(), 414, b"URI Too Long"),
    (Refusal(417, "expectation_failed", "unknown"), 417, b"Expectation Failed"),
    (fields_too_large(), 431, b"Request Header Fields Too Large"),
    (Refusal(501, "method_not_supported", 'a "quoted" word'), 501, b"Not Implemented"),
    (Refusal(505, "version_not_supported", "version"), 505, b"HTTP Version Not Supported"),
]


class RefusalTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """Each is a whole response with words for people and a code for programs, and the last on its connection."""
        for refusal, status, reason in REFUSALS:
            client = h11.Connection(h11.CLIENT)
            client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
            client.send(h11.EndOfMessage())
            client.receive_data(refusal_response(refusal, "r-1", head_only=False))
            head, data, end = client.next_event(), client.next_event(), client.next_event()
            self.assertEqual(head.status_code, status, (refusal, status, reason))
            self.assertEqual(head.reason, reason, (refusal, status, reason))
            self.assertEqual(
                [name for name, _ in head.headers if name == b"date"], [b"date"], (refusal, status, reason)
            )
            ids = {name: value for name, value in head.headers if name.endswith(b"request-id")}
            self.assertEqual(ids, {b"x-request-id": b"r-1", b"request-id": b"r-1"}, (refusal, status, reason))
            self.assertEqual(
                json.loads(bytes(data.data)), {"error": refusal.detail, "code": refusal.code}, (refusal, status, reason)
            )
            self.assertIsInstance(end, h11.EndOfMessage)
            self.assertEqual(client.their_state, h11.MUST_CLOSE, (refusal, status, reason))

    def test_head(self) -> None:
        """RFC 9110 section 9.3.2: to a HEAD it has the same head, and nothing after it."""
        for refusal, _, _ in REFUSALS:
            whole = refusal_response(refusal, "r-1", head_only=False)
            self.assertEqual(
                refusal_response(refusal, "r-1", head_only=True), whole[: whole.index(b"\r\n\r\n") + 4], refusal
            )
