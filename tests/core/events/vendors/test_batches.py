"""Batches within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.event import Content
from llmproxy.core.events.vendors.batches import split, without_bodies

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
