"""What an exchange is added up under."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.entry import Entry
from llmproxy.core.rollupkeys import Sample, added_up, rolled_up, series_of, values_of, with_values
from llmproxy.core.rollups import CUBES, PLAIN, VALUED

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
        found = [series for _, series in series_of(Sample(7, DIMENSIONS, (USER, TEAM)))]
        self.assertEqual(len(found), len(PLAIN) + 2 * len(VALUED))
        self.assertIn((1, "p", "", "", "", "", "", 0, "", "", ""), found)
        self.assertIn((8, *DIMENSIONS, "", "", ""), found)
        self.assertIn((9, "p", "", "", "", "", "", 0, *TEAM), found)

    def test_rolled_up(self) -> None:
        """What has the same key is added up, at each level of each cube."""
        samples = [(Sample(quarter, DIMENSIONS), Entry("1", 0.0)) for quarter in (4, 4, 5, 8)]
        sums = added_up(samples)
        self.assertEqual([(sample.quarter, numbers[0]) for sample, numbers in sums.items()], [(4, 2), (5, 1), (8, 1)])
        found = rolled_up(sums)
        everything = (1, "p", "", "", "", "", "", 0, "", "", "")
        counts = {key[1:3]: numbers[0] for key, numbers in found.items() if key[3] == everything}
        self.assertEqual(
            counts, {(0, 4): 2, (0, 5): 1, (0, 8): 1, (1, 1): 3, (1, 2): 1, (2, 0): 4, (3, 0): 4, (4, 0): 4, (5, 0): 4}
        )
        self.assertEqual({key[0] for key in found}, {cube.number for cube in CUBES if not cube.valued})

    def test_with_values(self) -> None:
        """A value counts once, however many have become the same."""
        sample = with_values(Sample(0, DIMENSIONS, (USER,)), [TEAM, TEAM, USER])
        self.assertEqual(sample, Sample(0, DIMENSIONS, (TEAM, USER)))
