"""Spans of time, and what is drawn of them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.spans import SPANS, drawn, periods, since_of, span_of

NOW = 1_700_000_000.0
BERLIN = ZoneInfo("Europe/Berlin")


class SpanTests(SynchronousTestCase):
    def test_named(self) -> None:
        """An address that names no span shows the first one."""
        self.assertEqual([span_of(name).name for name in ("7d", "", "x")], ["7d", "24h", "24h"])

    def test_periods(self) -> None:
        """No period is missing, the first one is whole, and the last one is that of now."""
        for span, count, first, last in (
            (SPANS[0], 25, "2023-11-13T23:00:00+01:00", "2023-11-14T23:00:00+01:00"),
            (SPANS[1], 8, "2023-11-07", "2023-11-14"),
            (SPANS[2], 30, "2023-10-16", "2023-11-14"),
            (SPANS[3], 13, "2022-11", "2023-11"),
        ):
            found = periods(span, NOW, BERLIN)
            self.assertEqual((len(found), found[0][0], found[-1][0]), (count, first, last), span)
        self.assertEqual(since_of(SPANS[1], NOW, BERLIN), "2023-11-06T23:00:00Z")

    def test_clocks_change(self) -> None:
        """A day that has 25 hours has 25 bars of an hour."""
        after = 1_698_620_400.0
        found = periods(SPANS[0], after, BERLIN)
        self.assertEqual(len({text for text, _ in found}), len(found))

    def test_drawn(self) -> None:
        """What there was nothing of is nought."""
        rows = [{"day": "2023-11-12", "requests": 3, "errors": 1}, {"day": "2023-11-14", "requests": 5, "errors": 0}]
        values = {"fine": lambda row: row["requests"] - row["errors"], "failed": lambda row: float(row["errors"])}
        begun, series = drawn(rows, SPANS[1], NOW, BERLIN, values)
        self.assertEqual(len(begun), 8)
        self.assertEqual(series[0], ("fine", [0, 0, 0, 0, 0, 2, 0, 5]))
        self.assertEqual(series[1], ("failed", [0, 0, 0, 0, 0, 1, 0, 0]))
