"""Tests for L{llmproxy.providers.awsreader}; what it reads is in the table of L{tests.providers.test_usagereader}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ProxyError
from llmproxy.providers.awsreader import AwsReader

from .answers import GOLDEN
from .vendoranswers import aws_chunk, aws_event


class AwsReaderTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """A stream is whole with the event that has the metrics, of either API."""
        for name in ("converse, streamed", "bedrock, messages, streamed", "bedrock, another model, streamed"):
            body = GOLDEN[name].body
            reader = AwsReader()
            reader.feed(body[:-1])
            self.assertFalse(reader.is_whole(), name)
            reader.feed(body[-1:])
            self.assertTrue(reader.is_whole(), name)

    def test_no_document(self) -> None:
        """An event that is no JSON, or whose bytes are none, hides none behind it."""
        good = GOLDEN["converse, streamed"]
        for bad in (aws_event(b"{"), aws_event(b'{"bytes":"*"}'), aws_event(b'{"bytes":7}'), aws_chunk(b"no")):
            reader = AwsReader()
            reader.feed(bad + good.body)
            self.assertEqual(reader.usage().output_tokens, good.usage.output_tokens, bad)

    def test_malformed(self) -> None:
        reader = AwsReader()
        self.assertRaises(ProxyError, reader.feed, b"this is no event stream at all")
