"""Tests for L{llmproxy.middleware.caching.request}: what goes to upstream in place of a client's own request."""

from __future__ import annotations

from llmproxy.usage import UNKNOWN, Usage

from ...tables import row
from .case import FRESH, CacheTestCase, HeldBody


class RequestTests(CacheTestCase):
    def test_its_own(self) -> None:
        """What is further in may change it: the client's stays as it is, and so does what others are compared with."""
        self.send(b"Accept: */*")
        sent = self.inner.requests[0]
        self.assertIsNot(sent, self.request)
        self.assertIsNot(sent.record, self.request.record)
        self.assertEqual((sent.method, sent.target, sent.fields), (b"GET", b"/v1/models", [(b"Accept", b"*/*")]))
        self.assertIs(sent.principal, self.request.principal)
        self.assertEqual(sent.record.request_id, self.request.record.request_id)

    def test_record(self) -> None:
        """What it took stands in the client's record."""
        responding = self.send()
        sent = self.inner.requests[0].record
        sent.attempts, sent.upstream_status, sent.upstream_first_byte, sent.details = 2, 200, 0.5, {"usage": 1}
        self.request.record.details = {"mine": 1}
        self.answer(FRESH)
        self.got(responding)
        record = self.request.record
        self.assertEqual((record.attempts, record.upstream_status, record.upstream_first_byte), (2, 200, 0.5))
        self.assertEqual(record.details, {"mine": 1, "usage": 1})
        self.hit()
        self.assertEqual((self.request.record.attempts, self.request.record.details), (0, None))

    def test_known_at_the_end(self) -> None:
        """What was not known when the head came is known at the end, none of it too, and which answer it is."""
        used = Usage(input_tokens=1)
        for usage, claimed in ((None, None), (None, used), (used, None), (UNKNOWN, None)):
            with row(usage, claimed):
                responding = self.send(target=b"/v1/responses/r-1")
                sent, body = self.inner.requests[-1].record, HeldBody()
                sent.usage = UNKNOWN
                self.answer(b"Cache-Control: no-store", body=body)
                self.got(responding)
                body.write(b"content")
                sent.usage, sent.answer_id, sent.claimed = usage, "r-1", claimed
                body.end()
                record = self.request.record
                self.assertEqual((record.usage, record.answer_id, record.claimed), (usage, "r-1", claimed))

    def test_asks_for_validation(self) -> None:
        """Conditions and ranges of the client's stay here; the stored validators go instead."""
        self.fill(FRESH, b'ETag: "a"')
        self.clock.advance(61)
        self.send(b'If-None-Match: "z"', b"Range: bytes=0-1", b"Accept: */*")
        self.assertEqual(self.inner.requests[-1].fields, [(b"Accept", b"*/*"), (b"If-None-Match", b'"a"')])
