"""Parts of streams that were kept."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging.reading import AWS, EVENT_STREAM, JSON, Cut, Part, array, parts
from tests.providers.vendoranswers import aws_chunk, aws_event
from tests.tables import row

from .pairs import NDJSON


def read(content: bytes, media_type: bytes = EVENT_STREAM) -> list[Any]:
    return told(parts(content, media_type))


def told(stream: Iterator[Part]) -> list[Any]:
    found: list[Any] = []
    try:
        for each in stream:
            found.append((each.name, each.content) if each.name else each.content)
    except Cut:
        found.append("CUT")
    return found


class EventTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Events as HTML section 9.2.6 has them, with any end of line."""
        for content, expected in (
            (b"", []),
            (b": wait\n\ndata: 1\n\n", [1]),
            (b"data:1\n\ndata: 2\n\n", [1, 2]),
            (b"data: 1\r\n\r\ndata: 2\r\n\r\n", [1, 2]),
            (b"data: 1\r\rdata: 2\r\r", [1, 2]),
            (b"data: 1\n\r\n\n\n\ndata: 2\n\n", [1, 2]),
            (b"\xef\xbb\xbfdata: 1\n\n", [1]),
            (b'event: a\nid: 3\ndata: {"x":\ndata: 1}\n\n', [("a", {"x": 1})]),
            (b"event: a\n\n", []),
            (b"data: [DONE]\n\n", ["[DONE]"]),
            (b"data: text\n\n", ["text"]),
            (b"data: 1\n\ndata: [DONE]", [1, "[DONE]"]),
            (b'data: 1\n\ndata: {"a":1}', [1, {"a": 1}]),
            (b'data: 1\n\ndata: {"a":', [1, "CUT"]),
            (b"data: 1\n\nda", [1, "CUT"]),
            (b"data: 1\n\nevent: x\n", [1, "CUT"]),
            (b"data: 1\n\n: wa", [1]),
        ):
            with row(content):
                self.assertEqual(read(content), expected)


class LineTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Documents of a line each; a last line without its end is one, if it is whole."""
        for content, expected in (
            (b"", []),
            (b'{"a":1}\n\n{"a":2}\r\n', [{"a": 1}, {"a": 2}]),
            (b'\x1e{"a":1}\n', [{"a": 1}]),
            (b'{"a":1}\n{"a":2}', [{"a": 1}, {"a": 2}]),
            (b'{"a":1}\n{"a":', [{"a": 1}, "CUT"]),
            (b"oops\n1\n", ["oops", 1]),
        ):
            with row(content):
                self.assertEqual(read(content, NDJSON), expected)


class MessageTests(SynchronousTestCase):
    def test_names(self) -> None:
        """A message of AWS is known by its header, whatever other headers there are."""
        named = b"\x01a\x00" + b"\x01b\x04\x00\x00\x00\x01" + b"\x01c\x06\x00\x02xx" + b"\x0b:event-type\x07\x00\x01e"
        self.assertEqual(read(aws_event(b'{"a":1}', named), AWS), [("e", {"a": 1})])

    def test_invoked(self) -> None:
        """What a model says itself is in base64."""
        self.assertEqual(read(aws_chunk(b'{"a":1}'), AWS), [{"a": 1}])
        self.assertEqual(read(aws_event(b'{"bytes":"?"}', b""), AWS), [{"bytes": "?"}])
        self.assertEqual(b64encode(b'{"a":1}'), b"eyJhIjoxfQ==")

    def test_cut(self) -> None:
        """Cut anywhere within a message, or of nonsense, nothing of it is read."""
        message = aws_event(b'{"a":1}')
        for at in range(1, len(message)):
            self.assertEqual(read(message + message[:at], AWS), [("chunk", {"a": 1}), "CUT"], at)
        self.assertEqual(read(b"\0" * 64, AWS), ["CUT"])


class ArrayTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Elements one by one, and where it was cut."""
        for text, expected in (
            ("[]", []),
            (' [\n{"a":1}\r\n, {"a":2}] ', [{"a": 1}, {"a": 2}]),
            ('[{"a":1},{"a"', [{"a": 1}, "CUT"]),
            ('[{"a":1}', [{"a": 1}, "CUT"]),
            ("[" * 100_000, ["CUT"]),
        ):
            with row(text[:40]):
                self.assertEqual(told(array(text)), expected)

    def test_no_stream(self) -> None:
        """A document is no stream."""
        self.assertRaises(ValueError, parts, b"{}", JSON)
