"""Tests for L{llmproxy.providers.readers}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ProxyError
from llmproxy.providers.awsreader import AwsReader
from llmproxy.providers.imagereader import ImageReader
from llmproxy.providers.readers import ASKED, Asked, reader_for
from llmproxy.providers.usagereader import MEDIA_TYPES, UsageReader

from ..tables import row
from .vendoranswers import AWS


class ReadersTests(SynchronousTestCase):
    def test_asked(self) -> None:
        """What a target says, again and again, of however many."""
        for number in range(3000):
            target = b"/v1/models/m%d/x" % (number % 2000)
            self.assertEqual(ASKED[target], Asked(f"m{number % 2000}", False, False, False, True, True), number)
        self.assertLess(len(ASKED), 1100)
        self.assertEqual(ASKED[b"/v1/images/edits"], Asked("", True, True, False, False, True))
        self.assertTrue(ASKED[b"/v1/chat/completions/chatcmpl-1"].kept)
        self.assertEqual(ASKED[b"/v1/chat?model=m&" + b"x" * 200].model, "m")
        self.assertNotIn(b"/v1/chat?model=m&" + b"x" * 200, ASKED)
        self.assertFalse(ASKED[b"/v1/files?purpose=batch"].runs)

    def test_kinds(self) -> None:
        """By the media type; what no reader knows has none."""
        for media_type in MEDIA_TYPES:
            self.assertIsInstance(reader_for(media_type, ()), UsageReader, media_type)
        self.assertIsInstance(reader_for(AWS, (b"gzip",)), AwsReader)
        self.assertIsInstance(reader_for(b"application/json", (), pictures=True), ImageReader)
        self.assertIsNone(reader_for(b"audio/mpeg", (b"other",)))
        for media_type in (b"application/json", AWS):
            with row(media_type):
                self.assertRaises(ProxyError, reader_for, media_type, (b"other",))
