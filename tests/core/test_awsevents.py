"""Tests for L{llmproxy.core.awsevents}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.awsevents import AwsEvents, MessageError

from ..properties import examples
from ..providers.vendoranswers import aws_event
from ..tables import row


def read(data: bytes, size: int, longest: int = 1000) -> list[bytes]:
    found: list[bytes] = []
    events = AwsEvents(longest, found.append)
    for at in range(0, len(data), size):
        events.feed(data[at : at + size])
    return found


class AwsEventsTests(SynchronousTestCase):
    @given(st.lists(st.binary(max_size=60), max_size=5), st.binary(max_size=30), st.integers(1, 90))
    @settings(max_examples=examples(150), deadline=None)
    def test_every_split(self, payloads: list[bytes], headers: bytes, size: int) -> None:
        """However the bytes arrive, the payloads are the same."""
        data = b"".join(aws_event(payload, headers) for payload in payloads)
        self.assertEqual(read(data, size), payloads)

    def test_long(self) -> None:
        """A message that is too long is passed over, and what follows is read."""
        data = aws_event(b"x" * 5000) + aws_event(b"a")
        for size in (1, 7, len(data)):
            self.assertEqual(read(data, size), [b"a"], size)

    def test_malformed(self) -> None:
        """What is no such stream says so at once, and a length without an end holds nothing."""
        for data in (b"data: {}\n\nmore", aws_event(b"a")[:8] + b"0000", b"\0" * 12):
            with row(data):
                self.assertRaises(MessageError, read, data, 1)
        self.assertEqual(read(aws_event(b"a")[:-1], 5), [])
