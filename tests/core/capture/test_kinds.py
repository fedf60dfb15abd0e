"""Kinds of bodies."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.capture.kinds import is_kept, kind_of
from tests.tables import row


class KindTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What is text is kept, what is not is left out."""
        for media_type, kind, kept in (
            (b"application/json", "json", True),
            (b"application/problem+json", "json", True),
            (b"text/event-stream", "stream", True),
            (b"application/x-ndjson", "stream", True),
            (b"application/vnd.amazon.eventstream", "stream", True),
            (b"application/x-www-form-urlencoded", "form", True),
            (b"text/plain", "text", True),
            (b"text/vtt", "text", True),
            (b"image/svg+xml", "text", True),
            (b"application/yaml", "text", True),
            (b"", "unknown", True),
            (b"multipart/form-data", "multipart", False),
            (b"image/png", "binary", False),
            (b"audio/mpeg", "binary", False),
            (b"application/octet-stream", "binary", False),
            (b"application/pdf", "binary", False),
        ):
            with row(media_type):
                self.assertEqual((kind_of(media_type), is_kept(kind_of(media_type))), (kind, kept))
