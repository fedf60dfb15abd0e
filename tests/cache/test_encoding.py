"""Stored responses as Redis keeps them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cache.encoding import decode_head, encode_head, join_names, split_names

from ..contracts.cache_store import entry


class EncodingTests(SynchronousTestCase):
    def test_head(self) -> None:
        """A head comes back as it was."""
        data = encode_head(entry(), 1024)
        self.assertEqual(decode_head(data, 1024), entry())
        self.assertEqual(decode_head(data), entry())
        self.assertIsNone(decode_head(data, 1023))

    def test_other_version(self) -> None:
        """What a later release writes is a miss for this one, and the other way round."""
        self.assertIsNone(decode_head(b"\2" + encode_head(entry(), 1024)[1:], 1024))

    @given(st.binary(max_size=40))
    def test_garbage(self, data: bytes) -> None:
        """Nothing that somebody else wrote is taken for a response."""
        self.assertIsNone(decode_head(data, 0))
        self.assertIsNone(decode_head(encode_head(entry(), 0)[:5] + data, 0))

    def test_cut(self) -> None:
        """A part is never taken for the whole."""
        data = encode_head(entry(), 9)
        for end in range(len(data)):
            self.assertIsNone(decode_head(data[:end], 9), end)

    def test_names(self) -> None:
        """No names and several."""
        for names in ((), (b"accept",), (b"accept", b"origin")):
            self.assertEqual(split_names(join_names(names)), names, names)
