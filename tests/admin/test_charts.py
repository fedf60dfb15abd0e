"""Charts, and the tables behind them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.charts import HEIGHT, WIDTH, bars, lines, meter, top_of

TICKS = ["Mon", "Tue <b>", "Wed"]
SERIES = [("in", [1.0, 0.0, 4.0]), ("out", [2.0, 3.0, 0.0])]


class ChartTests(SynchronousTestCase):
    def test_axis(self) -> None:
        """An axis ends at a round number above all values."""
        for largest, top in ((0, 1), (0.3, 0.5), (1, 1), (1.1, 2), (2.2, 2.5), (7, 10), (10, 10), (4_900, 5_000)):
            self.assertEqual(top_of(largest), top, largest)

    def test_drawn(self) -> None:
        """Bars stand on each other within the picture, and all that is shown is in the table too."""
        for made in (bars("Tokens", TICKS, SERIES, str), lines("Tokens", TICKS, SERIES, str)):
            tree = ElementTree.fromstring(made)
            self.assertEqual([cell.text for cell in tree.iter("td")], ["1.0", "2.0", "0.0", "3.0", "4.0", "0.0"], made)
            self.assertNotIn("<b>", made, made)
            self.assertNotIn("style=", made, made)
            for found in tree.iter("rect"):
                if "x" in found.attrib:
                    self.assertLessEqual(float(found.attrib["x"]) + float(found.attrib["width"]), WIDTH, found.attrib)
                    self.assertGreaterEqual(float(found.attrib["y"]), 0, found.attrib)
                    self.assertLess(float(found.attrib["y"]), HEIGHT, found.attrib)

    def test_stacked(self) -> None:
        """What comes second begins where the first ends."""
        tree = ElementTree.fromstring(bars("Tokens", ["Mon"], [("a", [1.0]), ("b", [1.0])]))
        low, high = (found.attrib for found in tree.iter("rect") if "x" in found.attrib)
        self.assertAlmostEqual(float(high["y"]) + float(high["height"]), float(low["y"]), 1)

    def test_nothing(self) -> None:
        """Without values there is an empty picture, and no fault."""
        for ticks, series in (([], []), ([], [("a", [])]), (["Mon"], [("a", [0.0])])):
            ElementTree.fromstring(bars("Tokens", ticks, series))
            ElementTree.fromstring(lines("Tokens", ticks, series))

    def test_meter(self) -> None:
        """How much of a limit is used, and how urgent that is."""
        for used, limit, level, width in (
            (0, 10, "fine", "0"),
            (5, 10, "fine", "50"),
            (8, 10, "high", "80"),
            (10, 10, "full", "100"),
            (15, 10, "full", "100"),
            (0, 0, "full", "100"),
        ):
            made = meter(used, limit, 'a "label"')
            self.assertIn(f'class="meter {level}"', made, (used, limit))
            self.assertEqual(re.findall(r'class="used" width="([0-9.]+)"', made), [width], (used, limit))
            self.assertIn("a &#34;label&#34;", made, (used, limit))
