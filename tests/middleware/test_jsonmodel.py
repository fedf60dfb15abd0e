"""Tests for L{llmproxy.middleware.jsonmodel}."""

from __future__ import annotations

import gzip

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.answers import COMPLETION
from llmproxy.config.model import AttributionConfig, MeterConfig

from ..harness import Exchange
from ..harness import a_request as on_the_wire

LONG = b'"messages":["' + b"\\n" * 60_000 + b'"]'
PATH = b"/v1/chat/completions"


class WatchTests(SynchronousTestCase):
    def asked_for(self, body: bytes, *fields: bytes, attribution: bool = False) -> str:
        """The model in the record of a request whose body comes in pieces, and reaches upstream as it is."""
        config = AttributionConfig(enabled=attribution)
        proxy = Exchange(meter=MeterConfig(enabled=True), attribution=config)
        client = proxy.client()
        request = on_the_wire(PATH, *fields, body=body)
        for at in range(0, len(request), 50_000):
            client.receive(request[at : at + 50_000])
        [upstream] = proxy.upstream
        self.assertTrue(bytes(upstream.sent).endswith(body))
        upstream.receive(COMPLETION)
        [record] = proxy.records
        self.assertTrue(proxy.idle())
        return record.model

    def test_found(self) -> None:
        """Wherever it stands, with attribution or without, in a coding or not."""
        for body in (
            b'{"model":"small",' + LONG + b"}",
            b"{" + LONG + b',"model":"small"}',
            b"{" + LONG + b',"model":"small","tools":[' + b'{"model":"x"},' * 9000 + b"0]}",
        ):
            for attribution in (False, True):
                self.assertEqual(self.asked_for(body, attribution=attribution), "small", (body[-9:], attribution))
            coded = gzip.compress(body, 0)
            self.assertEqual(self.asked_for(coded, b"Content-Encoding: gzip"), "small", body[-9:])

    def test_none(self) -> None:
        """What names none, or cannot be read, hurts no request."""
        for body, *fields in (
            (b"{" + LONG + b"}",),
            (b"no json" * 20_000,),
            (b'{"model":7,' + LONG + b"}",),
            (b'{"model":"m",' + LONG + b"}", b"Content-Type: text/plain"),
            (b'{"model":"m",' + LONG + b"}", b"Content-Encoding: gzip"),
            (b'{"model":"m",' + LONG + b"}", b"Content-Encoding: other"),
        ):
            self.assertEqual(self.asked_for(body, *fields), "", (body[:9], fields))
