"""What an exchange is added up under."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.entry import Entry
from llmproxy.core.rollupkeys import Sample, added_up, rolled_up, values_of, with_values
from llmproxy.core.rollups import CUBES, PLAIN, VALUED
from llmproxy.core.rollups import DIMENSIONS as DIMENSIONS_OF

from ..tables import row

ONE = (1, 5)
DIMENSIONS = ("p", "t", "openai", "/chat", "m", "m-1", 200)
USER, TEAM = ("user", "", "anna"), ("tag", "team", "search")


class KeyTests(SynchronousTestCase):
    def test_values(self) -> None:
        """Everything that was said; what is empty was not said."""
        entry = Entry("1", 0.0, user="u", program="x", tags={"team": "a", "": "b", "c": ""}, metadata={"k": "v"})
        expected = (("user", "", "u"), ("program", "", "x"), ("tag", "team", "a"), ("metadata", "k", "v"))
        self.assertEqual(values_of(entry), expected)

    def test_series(self) -> None:
        """One of each cube, and of those of values one for each value; what a cube does not tell apart is empty."""
        blocks = rolled_up({Sample(7, DIMENSIONS, (USER, TEAM)): ONE})
        found = {series for part in blocks.values() for series in part}
        self.assertEqual(len(found), len(PLAIN) + 2 * len(VALUED))
        self.assertIn((1, "p", "", "", "", "", "", 0, "", "", ""), found)
        self.assertIn((8, *DIMENSIONS, "", "", ""), found)
        self.assertIn((9, "p", "", "", "", "", "", 0, *TEAM), found)

    def test_rolled_up(self) -> None:
        """What has the same key is added up, at each level of each cube."""
        sums = added_up((Sample(quarter, DIMENSIONS), ONE) for quarter in (4, 4, 5, 8))
        self.assertEqual([(sample.quarter, numbers[0]) for sample, numbers in sums.items()], [(4, 2), (5, 1), (8, 1)])
        found = rolled_up(sums)
        everything = (1, "p", "", "", "", "", "", 0, "", "", "")
        counts = {block[1:]: part[everything][0] for block, part in found.items() if everything in part}
        self.assertEqual(
            counts, {(0, 4): 2, (0, 5): 1, (0, 8): 1, (1, 1): 3, (1, 2): 1, (2, 0): 4, (3, 0): 4, (4, 0): 4, (5, 0): 4}
        )
        self.assertEqual({block[0] for block in found}, {cube.number for cube in CUBES if not cube.valued})

    def test_each_cube(self) -> None:
        """Cubes that are made of others have the same sums as those that are made of each sample."""
        chance = random.Random(1)
        sums = {}
        for number in range(200):
            dimensions = tuple(f"{name}{chance.randrange(3)}" for name in DIMENSIONS[:-1])
            values = tuple(("tag", "team", f"v{each}") for each in range(chance.randrange(3)))
            sums[Sample(chance.randrange(2), (*dimensions, chance.choice((200, 429))), values)] = (1, number)
        wanted: dict = {}
        for sample, numbers in sums.items():
            for cube in CUBES:
                empty = (0 if name == "status" else "" for name in DIMENSIONS_OF)
                of = zip(DIMENSIONS_OF, sample.dimensions, empty, strict=True)
                key = (cube.number, *(value if name in cube.dimensions else none for name, value, none in of))
                for value in sample.values if cube.valued else (("", "", ""),):
                    found = wanted.setdefault((cube.number, cube.levels[-1]), {}).setdefault((*key, *value), [0, 0])
                    found[0] += numbers[0]
                    found[1] += numbers[1]
        made = {block[:2]: part for block, part in rolled_up(sums).items()}
        for block, part in wanted.items():
            with row(block):
                self.assertEqual({series: list(numbers) for series, numbers in made[block].items()}, part)

    def test_with_values(self) -> None:
        """A value counts once, however many have become the same."""
        sample = with_values(Sample(0, DIMENSIONS, (USER,)), [TEAM, TEAM, USER])
        self.assertEqual(sample, Sample(0, DIMENSIONS, (TEAM, USER)))
