"""Windows of budgets."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.windows import parts_of, window_of

from ...tables import row

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "America/Havana")


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class WindowTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Budgets begin anew with the hour, the day, the week, the month of their zone."""
        for duration, zone, at, begin, end in (
            ("1h", "UTC", "2026-11-30T17:05:30+00:00", "2026-11-30T17:00:00+00:00", "2026-11-30T18:00:00+00:00"),
            ("30m", "UTC", "2026-11-30T17:35:30+00:00", "2026-11-30T17:30:00+00:00", "2026-11-30T18:00:00+00:00"),
            ("1d", "UTC", "2026-11-30T23:59:59+00:00", "2026-11-30T00:00:00+00:00", "2026-12-01T00:00:00+00:00"),
            (
                "1d",
                "Europe/Berlin",
                "2026-11-30T23:30:00+00:00",
                "2026-12-01T00:00:00+01:00",
                "2026-12-02T00:00:00+01:00",
            ),
            # Clocks go back and forth: 25 and 23 hours.
            (
                "1d",
                "Europe/Berlin",
                "2026-10-25T12:00:00+01:00",
                "2026-10-25T00:00:00+02:00",
                "2026-10-26T00:00:00+01:00",
            ),
            (
                "1d",
                "Europe/Berlin",
                "2026-03-29T12:00:00+02:00",
                "2026-03-29T00:00:00+01:00",
                "2026-03-30T00:00:00+02:00",
            ),
            ("7d", "UTC", "2026-12-02T00:00:00+00:00", "2026-11-30T00:00:00+00:00", "2026-12-07T00:00:00+00:00"),
            ("1w", "UTC", "2026-11-29T23:59:59+00:00", "2026-11-23T00:00:00+00:00", "2026-11-30T00:00:00+00:00"),
            ("1mo", "UTC", "2026-02-28T23:00:00+00:00", "2026-02-01T00:00:00+00:00", "2026-03-01T00:00:00+00:00"),
            (
                "1mo",
                "Europe/Berlin",
                "2026-02-28T23:00:00+00:00",
                "2026-03-01T00:00:00+01:00",
                "2026-04-01T00:00:00+02:00",
            ),
            ("1mo", "UTC", "2026-12-31T23:59:59+00:00", "2026-12-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"),
            ("3mo", "UTC", "2026-11-30T00:00:00+00:00", "2026-10-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"),
            ("1y", "UTC", "2028-02-29T00:00:00+00:00", "2028-01-01T00:00:00+00:00", "2029-01-01T00:00:00+00:00"),
        ):
            with row(duration, zone, at):
                found = window_of(duration, _at(at), ZoneInfo(zone))
                self.assertEqual(found, (_at(begin), _at(end)))

    def test_total(self) -> None:
        """What has no end has none."""
        self.assertEqual(window_of("total", 1e9, timezone.utc), (0.0, None))

    def test_no_duration(self) -> None:
        """What is no duration is refused in words that say what is."""
        for text in ("", "1", "0d", "-1d", "1.5h", "1D", "1 d", "monthly", "99999d", "11y", "1h30m", "1s", "٣d"):
            with row(text):
                error = self.assertRaises(ValueError, parts_of, text)
                self.assertIn("1mo", str(error))

    @given(
        st.sampled_from(["1m", "7m", "1h", "5h", "1d", "2d", "7d", "10d", "1w", "1mo", "5mo", "1y"]),
        st.sampled_from(ZONES),
        st.integers(1_500_000_000, 2_200_000_000),
    )
    def test_windows_tile_time(self, duration: str, zone: str, at: int) -> None:
        """Every moment is in one window, and the next begins where it ends."""
        there = ZoneInfo(zone)
        begin, end = window_of(duration, at, there)
        assert end is not None
        self.assertTrue(begin <= at < end, (begin, at, end))
        self.assertEqual(window_of(duration, begin, there), (begin, end))
        self.assertEqual(window_of(duration, end, there)[0], end)
        self.assertEqual(window_of(duration, end - 1, there), (begin, end))
