"""Tests for L{llmproxy.bench.plot}."""

from __future__ import annotations

from typing import Any
from xml.dom.minidom import parseString

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.plot import BARS, Plot, Scale, bars, plots, svg

from ..properties import examples
from .reports import reported, result


def curve(low: float, high: float) -> dict[str, float]:
    return {percent: high if percent == "100" else low for percent in ("50", "90", "99", "99.9", "100")}


class ScaleTests(SynchronousTestCase):
    @settings(max_examples=examples(50), deadline=None)
    @given(st.lists(st.floats(0, 1e6), max_size=20))
    def test_within(self, values: list[float]) -> None:
        """Everything that is drawn lies between the ends, the larger never lower."""
        scale = Scale(values)
        shares = [scale.share(value) for value in sorted(values)]
        self.assertEqual(shares, sorted(shares))
        self.assertTrue(all(0 <= share <= 1 for share in shares))

    def test_decades(self) -> None:
        """The lines are at powers of ten around the values."""
        self.assertEqual(Scale([0.3, 20.0]).decades, [0.1, 1.0, 10.0, 100.0])


class PlotTests(SynchronousTestCase):
    def test_what(self) -> None:
        """At the fixed rate if there was one, else in the closed loop; and of streams."""
        titles = [plot.title for plot in plots(reported())]
        self.assertEqual(titles, ["latency at 50 requests/s, ms", "delay of an event, ms"])
        self.assertEqual(plots(reported(open={}, streams={}))[0].title, "latency in the closed loop, ms")

    def test_nothing(self) -> None:
        """Where nothing was measured nothing is drawn."""
        nothing: dict[str, Any] = {"open": {}, "closed": {}, "streams": {"direct": [result(1, 0)]}}
        self.assertEqual(plots(reported(**nothing)), [])
        self.assertTrue(parseString(svg([])))

    def test_bars(self) -> None:
        """A bar for each target and percentile, with its figure, none longer than there is room."""
        lines = list(bars(Plot("t", {"a": curve(0.2, 5.0), "longer": curve(3.0, 100.0)})))
        self.assertEqual(len(lines), 11)
        self.assertTrue(lines[1].startswith("   p50 a      █"))
        self.assertTrue(lines[-1].endswith("█" * BARS + " 100.00"))

    def test_svg(self) -> None:
        """A document with a line for each target; a name cannot break it."""
        text = svg([Plot("a < b & c", {"<x>": curve(1, 2), "y": curve(2, 3)}), Plot("t", {"y": curve(2, 3)})])
        document = parseString(text)
        self.assertEqual(len(document.getElementsByTagName("polyline")), 3)
        self.assertIn("&lt;x&gt;", text)
