"""Tests for L{llmproxy.providers.imagereader}."""

from __future__ import annotations

import gzip
import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers.imagereader import ImageReader, makes_pictures
from llmproxy.usage import Usage

from .answers import GOLDEN, JSON, SSE

PICTURE = "iVBORw0KGgo" * 10_000


def read(body: bytes, size: int, media_type: bytes = JSON, *codings: bytes) -> Usage:
    reader = ImageReader(media_type, codings)
    for at in range(0, len(body), size):
        reader.feed(body[at : at + size])
    return reader.usage()


class ImageReaderTests(SynchronousTestCase):
    def test_counted(self) -> None:
        """Pictures by address or by content, of any size, cut anywhere, with words about them that look like them."""
        words = {"revised_prompt": '"url":"b64_json": "\\'}
        for items, expected in (
            ([{"url": "https://a", **words}, {"url": "https://b"}], 2),
            ([{**words, "b64_json": PICTURE}] * 3, 3),
            ([{"url": None, "b64_json": "AAAA"}, {"url": "https://a", "b64_json": "AAAA"}], 2),
            ([], None),
        ):
            for spaces in (None, 2):
                body = json.dumps({"created": 1, "data": items}, indent=spaces).encode()
                sizes = (1, 7, 1 << 16, len(body)) if len(body) < 10_000 else (1 << 16, len(body))
                for size in sizes:
                    self.assertEqual(read(body, size).images, expected, (expected, size))
                self.assertEqual(read(gzip.compress(body), 999, JSON, b"gzip").images, expected, body[:99])

    def test_imagen(self) -> None:
        body = json.dumps({"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": "AAAA"}] * 2}).encode()
        for size in (1, len(body)):
            self.assertEqual(read(body, size).images, 2, size)

    def test_golden(self) -> None:
        """With the tokens, where they are named; of a stream only what is finished counts."""
        for name in ("images", "images, streamed"):
            golden = GOLDEN[name]
            for size in (1, 10, len(golden.body)):
                usage = read(golden.body, size, golden.media_type)
                self.assertEqual((usage.images, usage.output_tokens), (1, golden.usage.output_tokens), (name, size))
        unfinished = GOLDEN["images, streamed"].body.partition(b"event: image_generation.completed")[0]
        self.assertFalse(read(unfinished, 9, SSE).is_known)

    def test_where(self) -> None:
        """Only where pictures are made: elsewhere an address is no picture."""
        for target, expected in (
            (b"/v1/images/generations", True),
            (b"/openai/deployments/d/images/edits?api-version=1", True),
            (b"/v1beta/models/imagen-4:predict", True),
            (b"/v1/chat/completions", False),
            (b"/v1/images", False),
        ):
            self.assertEqual(makes_pictures(target), expected, target)
