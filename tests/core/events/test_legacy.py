"""Events of the reference."""

from __future__ import annotations

import base64
import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events import Content, decode, encode_legacy
from llmproxy.core.events.legacy import event_of_legacy, has_legacy
from tests.tables import row

from .samples import event

SEEN = (
    b'{"LogID":0,"RequestID":"7669dcc4-c994-44f9-9dc3-9de38ae720eb","Method":"POST","Path":"/v1/chat/completions",'
    b'"Status":200,"Duration":1148305,"ResponseHeaders":{"Content-Length":["293"],"X-Proxy":["llm-proxy"]},'
    b'"ResponseBody":"eyJpZCI6MX0=","RequestBody":null}'
)
"""As a Redis of the reference had it."""


class LegacyTests(SynchronousTestCase):
    def test_names(self) -> None:
        """The reference's consumers find every member that they know, in its place."""
        self.assertEqual(list(json.loads(encode_legacy(event()))), list(json.loads(SEEN)))

    def test_values(self) -> None:
        """Nanoseconds, canonical names, bodies in base64."""
        content = Content(
            request_body={"model": "x"}, response_body="data: 1\n", response_headers={"x-request-id": ["r-1"]}
        )
        written = json.loads(encode_legacy(event(duration_ms=1.148305, content=content)))
        self.assertEqual(written["Duration"], 1148305)
        self.assertEqual(written["ResponseHeaders"], {"X-Request-Id": ["r-1"]})
        self.assertEqual(base64.b64decode(written["RequestBody"]), b'{"model":"x"}')
        self.assertEqual(base64.b64decode(written["ResponseBody"]), b"data: 1\n")

    def test_without_content(self) -> None:
        """No body is C{null}, as there."""
        written = json.loads(encode_legacy(event()))
        self.assertEqual((written["RequestBody"], written["ResponseBody"]), (None, None))

    def test_read(self) -> None:
        """What the reference wrote is read, and has the same id each time that it comes."""
        made = event_of_legacy(SEEN)
        self.assertEqual((made.status, made.duration_ms, made.method), (200, 1.148305, "POST"))
        assert made.content is not None
        self.assertEqual(made.content.response_body, {"id": 1})
        self.assertEqual(made.content.response_headers["x-proxy"], ["llm-proxy"])
        self.assertEqual(decode(SEEN).id, made.id)

    def test_binary(self) -> None:
        """A body that is no text is left out, and said so."""
        data = SEEN.replace(b"eyJpZCI6MX0=", base64.b64encode(b"\x1f\x8b\xff"))
        content = event_of_legacy(data).content
        assert content is not None
        self.assertEqual((content.response_body, content.response_omitted), (None, "binary"))

    def test_wrong(self) -> None:
        """What is none is refused."""
        for data in (b"{}", b'{"RequestID":1}', b'{"RequestID":"x","Status":"y"}'):
            with row(data), self.assertRaises(ValueError):
                event_of_legacy(data)

    def test_which(self) -> None:
        """The reference publishes exchanges and nothing else."""
        self.assertTrue(has_legacy(event()))
        self.assertFalse(has_legacy(event(kind="audit.project.create")))
