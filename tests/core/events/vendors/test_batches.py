"""Batches within bounds."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.event import Content
from llmproxy.core.events.vendors.batches import split, without_bodies, written
from llmproxy.core.events.vendors.helicone import encode_one
from llmproxy.core.events.vendors.langfuse import encode_items
from llmproxy.core.events.vendors.lunary import encode_events
from llmproxy.core.events.vendors.reference import encode_log_line, encode_payload

from ....tables import row
from .samples import bare, chat


class SplitTests(SynchronousTestCase):
    def test_rows(self) -> None:
        """As many as fit; what fits into none stands alone."""
        for sizes, expected in (
            ([], []),
            ([1], [[1]]),
            ([3, 3, 4], [[3, 3, 4]]),
            ([3, 3, 5], [[3, 3], [5]]),
            ([11, 1, 11, 11], [[11], [1], [11], [11]]),
            ([0, 0], [[0, 0]]),
        ):
            with row(sizes):
                self.assertEqual([sizes[each] for each in split(sizes, 10)], expected)

    @given(st.lists(st.integers(0, 30), max_size=20))
    def test_all(self, sizes: list[int]) -> None:
        """Nothing is left out, nothing comes twice, and only one alone is too large."""
        parts = [sizes[each] for each in split(sizes, 20)]
        self.assertEqual([size for part in parts for size in part], sizes)
        self.assertTrue(all(part and (sum(part) <= 20 or len(part) == 1) for part in parts))


class WrittenTests(SynchronousTestCase):
    def test_whatever(self) -> None:
        """What JSON cannot have is written as it can; nothing that an event holds makes it fail."""
        deep: list[Any] = []
        for _ in range(5000):
            deep = [deep]
        for more in (
            {"user": "\ud800"},
            {"tags": {"\ud800": "x"}},
            {"metadata": {"a": "\udfff"}},
            {"content": Content(request_body={"n": 2**70}, response_body="\ud800")},
            {"content": Content(request_body={"messages": deep})},
            {"content": Content(response_body=object())},
            {"details": {"x": {1: 2}}},
        ):
            for write in (encode_items, encode_events, encode_one, encode_payload, encode_log_line):
                with row(list(more), write):
                    self.assertIn(b"req-1", written(write, chat(**more), 1 << 20))

    def test_too_large(self) -> None:
        """What is too large goes without its bodies."""
        event = chat(content=Content(response_body="x" * 1000))
        self.assertNotIn(b"xxx", written(encode_one, event, 500))
        self.assertIn(b"xxx", written(encode_one, event, 1 << 20))


class WithoutTests(SynchronousTestCase):
    def test_bodies(self) -> None:
        """What was said is gone, and all else stays; why it was not there before stays too."""
        content = without_bodies(chat()).content
        assert content is not None
        self.assertEqual((content.request_body, content.response_body), (None, None))
        self.assertEqual((content.request_omitted, content.response_omitted), ("too_large", "too_large"))
        self.assertIn("content-type", content.response_headers)
        binary = without_bodies(chat(content=Content(request_omitted="binary"))).content
        assert binary is not None
        self.assertEqual(binary.request_omitted, "binary")
        self.assertEqual(without_bodies(bare()), bare())
