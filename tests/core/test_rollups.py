"""Roll-ups of usage by the spans they are of."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.rollups import CUBES, DAY, DIMENSIONS, HOUR, QUARTER, WATCH, WIDTHS, Block, cover, sources

from ..properties import examples
from ..tables import row

D = WIDTHS[DAY]


class LevelTests(SynchronousTestCase):
    def test_widths(self) -> None:
        """Each level is a multiple of the one before it."""
        for finer, wider in pairwise(WIDTHS):
            self.assertEqual(wider % finer, 0, wider)

    def test_numbers(self) -> None:
        """No two cubes have one number, and all levels are known."""
        self.assertEqual(len({cube.number for cube in CUBES}), len(CUBES))
        self.assertLessEqual({level for cube in CUBES for level in cube.levels}, set(range(len(WIDTHS))))


class SourceTests(SynchronousTestCase):
    def test_smallest(self) -> None:
        """For each level the cube with the fewest rows that tells apart what is asked for."""
        for wanted, expected in (
            ((), [11, 11, 11, 11, 11, 11]),
            (("project_id",), [1, 1, 1, 1, 1, 1]),
            (("api", "model"), [2, 2, 2, 2, 2, 2]),
            (("token_id",), [8, 6, 6, 6, 6, 6]),
            (("project_id", "model"), [8, 7, 7, 7, 7, 7]),
            (("token_id", "status"), [8, 8, 8, 8]),
            (("token_id", "model"), [8, 12, 12, 12]),
            (("project_id", "status"), [8, 5, 5, 5, 5, 5]),
        ):
            with row(wanted):
                found = sources(frozenset(wanted))
                self.assertEqual(list(found), [0, 1, 2, 3, 4, 5] if len(expected) == 6 else [0, 3, 4, 5])
                self.assertEqual([cube.number for cube in found.values()], expected)

    def test_everything(self) -> None:
        """Whatever is asked of the dimensions can be answered at the level of quarters."""
        self.assertIn(QUARTER, sources(frozenset(DIMENSIONS)))

    def test_values(self) -> None:
        """Values have cubes of their own; not every combination has one."""
        self.assertEqual(sources(frozenset({"project_id"}), valued=True)[DAY].number, 9)
        self.assertEqual(sources(frozenset({"model"}), valued=True)[DAY].number, 10)
        self.assertEqual(sources(frozenset({"token_id"}), valued=True), {})


class CoverTests(SynchronousTestCase):
    def test_shifted_day(self) -> None:
        """A day of a zone an hour to the east is a day and an hour more, less an hour."""
        self.assertEqual(
            set(cover(10 * D - 3600, 11 * D - 3600, (HOUR, DAY))),
            {Block(HOUR, 239), Block(DAY, 10), Block(HOUR, 263, -1)},
        )

    def test_few(self) -> None:
        """A day of any zone takes few blocks, a year too, and an hour no more than it has quarters."""
        for hour in range(24):
            with row(hour):
                self.assertEqual(len(list(cover(D + hour * 3600, D + (hour + 1) * 3600, (QUARTER, DAY, 4, 5)))), 4)
        for offset in range(0, D, 900):
            with row(offset):
                self.assertLessEqual(len(list(cover(D - offset, 2 * D - offset, range(4)))), 17)
        self.assertLessEqual(len(list(cover(20_000 * D + 900, 20_365 * D + 4500, range(6)))), 40)

    @settings(max_examples=examples(200), deadline=None)
    @given(
        st.integers(0, 20_000),
        st.integers(0, 20_000),
        st.sets(st.sampled_from((HOUR, WATCH, DAY, 4, 5))),
    )
    def test_exact(self, since: int, more: int, levels: set[int]) -> None:
        """Whatever the levels, each quarter of the span counts once and no other one."""
        counted: Counter[int] = Counter()
        for block in cover(since * 900, (since + more) * 900, {QUARTER, *levels}):
            width = WIDTHS[block.level] // 900
            for quarter in range(block.bucket * width, (block.bucket + 1) * width):
                counted[quarter] += block.sign
        assert {quarter: count for quarter, count in counted.items() if count} == dict.fromkeys(
            range(since, since + more), 1
        )
