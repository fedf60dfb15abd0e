"""What a month will cost."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.forecast import forecast, since
from llmproxy.core.reportperiods import ends, label, zone_of

BERLIN = zone_of("Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


def daily(month: str, first: int, last: int, cost: str) -> dict[str, Decimal]:
    return {f"{month}-{day:02}": Decimal(cost) for day in range(first, last + 1)}


class ForecastTests(SynchronousTestCase):
    def test_steady(self) -> None:
        """A dollar a day makes as many dollars as the month has days, and last month stands beside it."""
        costs = daily("2026-10", 1, 31, "2") | daily("2026-11", 1, 20, "1")
        made = forecast(costs, at("2026-11-21T00:00"), timezone.utc)
        self.assertEqual((made.month, made.so_far, made.last_month), ("2026-11", Decimal(20), Decimal(62)))
        # Six whole days, and nothing yet of the one that begins.
        self.assertEqual((made.days, made.per_day, made.expected), (6.0, Decimal(1), Decimal(30)))

    def test_recent_rate(self) -> None:
        """What was spent before the last week does not decide what comes."""
        costs = daily("2026-11", 1, 10, "100") | daily("2026-11", 14, 20, "1")
        made = forecast(costs, at("2026-11-20T23:59:59"), timezone.utc)
        self.assertAlmostEqual(float(made.expected), 1007 + 10, places=2)

    def test_just_begun(self) -> None:
        """Of a proxy that was used for the first time two days ago, the rate is of two days."""
        made = forecast(daily("2026-11", 19, 20, "3"), at("2026-11-20T12:00"), timezone.utc)
        self.assertEqual((made.days, made.per_day, made.last_month), (1.5, Decimal(4), Decimal(0)))

    def test_first_minutes(self) -> None:
        """Minutes are no rate: a dollar in the first one is not thousands a day."""
        made = forecast({"2026-11-20": Decimal(1)}, at("2026-11-20T00:01"), timezone.utc)
        self.assertEqual(made.per_day, Decimal(24))

    def test_nothing_used(self) -> None:
        """Nothing costs nothing."""
        made = forecast({}, at("2026-11-20T12:00"), timezone.utc)
        self.assertEqual((made.expected, made.so_far, made.last_month), (0, 0, 0))

    def test_zone(self) -> None:
        """Months are those of the time zone: half an hour before midnight in London is next month in Berlin."""
        now = at("2026-10-31T23:30")
        costs = {"2026-10-31": Decimal(5), "2026-11-01": Decimal(1)}
        made = forecast(costs, now, BERLIN)
        self.assertEqual((made.month, made.so_far, made.last_month), ("2026-11", Decimal(1), Decimal(5)))
        self.assertEqual(label("day", since(now, BERLIN), BERLIN), "2026-10-01")
        self.assertEqual(label("day", since(at("2026-01-01T00:00"), timezone.utc), timezone.utc), "2025-12-01")

    @given(
        st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
        st.lists(st.integers(0, 10**12), min_size=60, max_size=60),
    )
    def test_bounds(self, now: datetime, drawn: list[int]) -> None:
        """It never says less than was spent already, and at the end of a month says just that."""
        moment = now.replace(tzinfo=timezone.utc).timestamp()
        costs = {
            label("day", moment - 86_400 * days, BERLIN): Decimal(cost).scaleb(-12) for days, cost in enumerate(drawn)
        }
        made = forecast(costs, moment, BERLIN)
        self.assertGreaterEqual(made.expected, made.so_far)
        ended = forecast(costs, ends("month", moment, BERLIN) - 0.001, BERLIN)
        self.assertAlmostEqual(float(ended.expected), float(ended.so_far), places=4)
