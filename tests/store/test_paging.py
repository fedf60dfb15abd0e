"""Positions in lists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.message import Page
from llmproxy.store.paging import check_limit, paged, position, read_position

NAMES = st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=255)


class PositionTests(SynchronousTestCase):
    @given(st.integers(-(2**63), 2**63 - 1), NAMES)
    def test_round_trip(self, moment: int, name: str) -> None:
        """Whatever a row is called, its position is read again, and can stand in a URL as it is."""
        text = position(moment, name)
        self.assertEqual(read_position(text, int, str), [moment, name])
        self.assertTrue(text.replace("-", "a").replace("_", "a").isalnum())

    @given(st.text(max_size=60))
    def test_anything(self, text: str) -> None:
        """Whatever a client sends instead is a position or a ValueError."""
        try:
            values = read_position(text, str)
        except ValueError:
            return
        self.assertEqual([type(value) for value in values], [str])


class PagedTests(SynchronousTestCase):
    def test_rows(self) -> None:
        """A row more than asked for says that there is another page; it is not shown."""
        self.assertEqual(paged(["a", "b", "c"], 2, str.upper), Page(["a", "b"], "B"))
        self.assertEqual(paged(["a", "b"], 2, str.upper), Page(["a", "b"]))
        self.assertEqual(paged([], 2, str.upper), Page([]))

    def test_limit(self) -> None:
        """A page holds something."""
        check_limit(1)
        self.assertRaises(ValueError, check_limit, 0)
