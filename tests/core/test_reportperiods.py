"""Periods in time zones, and moments as people write them."""

from __future__ import annotations

from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.reportgroups import PERIODS
from llmproxy.core.reportperiods import begins, ends, label, moment_of, zone_of
from llmproxy.core.reports import UsageQuestion

from ..tables import row

ZONES = ("UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Auckland", "Africa/Cairo")
NOW = datetime(2026, 3, 31, 12, 30, tzinfo=timezone.utc).timestamp()


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


class ZoneTests(SynchronousTestCase):
    def test_refused(self) -> None:
        """What is no name of a zone is refused, and reads no file that it might name."""
        for name in ("", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Europe", "a\0b", "ü", "x" * 1000):
            with row(self, name):
                self.assertIn("Europe/Berlin", str(self.assertRaises(ValueError, zone_of, name)))

    def test_utc_needs_no_database(self) -> None:
        """UTC is there on every system, in any case of letters."""
        self.assertEqual([zone_of("utc"), zone_of("UTC")], [timezone.utc] * 2)


class MomentTests(SynchronousTestCase):
    def test_read(self) -> None:
        """A moment is a day, a month, a time, or how long ago."""
        for text, zone, moment in (
            ("2026-01-31", "UTC", "2026-01-31T00:00"),
            ("2026-01-31", "Europe/Berlin", "2026-01-30T23:00"),
            ("2026-02", "UTC", "2026-02-01T00:00"),
            ("2026-01-31T12:00:00Z", "Europe/Berlin", "2026-01-31T12:00"),
            ("2026-01-31t12:00:00z", "UTC", "2026-01-31T12:00"),
            ("2026-01-31T12:00:00+01:00", "UTC", "2026-01-31T11:00"),
            ("2026-01-31 12:00-0530", "UTC", "2026-01-31T17:30"),
            ("2026-01-31T12:00:00 01:00", "UTC", "2026-01-31T11:00"),
            ("2026-01-31T12:00", "Europe/Berlin", "2026-01-31T11:00"),
            ("90m", "UTC", "2026-03-31T11:00"),
            ("24h", "UTC", "2026-03-30T12:30"),
            ("7d", "UTC", "2026-03-24T12:30"),
            ("2w", "UTC", "2026-03-17T12:30"),
            ("1mo", "UTC", "2026-02-28T12:30"),
            ("4mo", "UTC", "2025-11-30T12:30"),
            ("1y", "UTC", "2025-03-31T12:30"),
            ("1mo", "Europe/Berlin", "2026-02-28T13:30"),
        ):
            with row(self, text, zone):
                self.assertEqual(moment_of(text, NOW, zone_of(zone)), utc(moment))

    def test_ends_of_the_calendar(self) -> None:
        """The first and the last day of a zone may have no date in UTC: the nearest that has can be written."""
        for text, zone, written in (
            ("0001-01-01", "Europe/Berlin", "0001-01-01T00:00:00"),
            ("0001-01-01T00:00+14:00", "UTC", "0001-01-01T00:00:00"),
            ("0001-01-01", "America/New_York", "0001-01-01T04:56:02"),
            ("9999-12-31", "Asia/Tokyo", "9999-12-30T15:00:00"),
            ("9999-12-31T23:59:59-12:00", "UTC", "9999-12-31T23:45:00"),
            ("9999-12-31T23:59:59.999999999Z", "UTC", "9999-12-31T23:45:00"),
        ):
            with row(self, text, zone):
                aligned = UsageQuestion(until=moment_of(text, NOW, zone_of(zone))).aligned()
                assert aligned.until is not None
                datetime.fromtimestamp(aligned.until, timezone.utc)
                at = datetime.fromtimestamp(moment_of(text, NOW, zone_of(zone)), timezone.utc)
                self.assertEqual(at.replace(tzinfo=None).isoformat(), written)

    def test_fractions(self) -> None:
        """Fractions of a second are kept."""
        self.assertEqual(moment_of("1970-01-01T00:00:01.5Z", NOW, timezone.utc), 1.5)

    def test_refused(self) -> None:
        """Everything else is refused, and the words say what is expected."""
        for text in (
            *("", "yesterday", "7", "d", "-7d", "7 d", "1.5h", "999999y", "999999mo", "7D", "٧d", "2026", "2026-13"),
            *("2026-02-30", "2026-01-31T25:00", "2026-01-31T12:00+01:99", "2026-01-31T12:00+99:00", "0000-01-01"),
            "9" * 400,
        ):
            with row(self, text):
                self.assertIn("2026-01-31", str(self.assertRaises(ValueError, moment_of, text, NOW, timezone.utc)))


class LabelTests(SynchronousTestCase):
    def test_labels(self) -> None:
        """Periods are written as ISO 8601 has them, in the zone that is asked for."""
        at = utc("2026-01-31T23:30")
        for period, zone, text in (
            ("hour", "UTC", "2026-01-31T23:00:00+00:00"),
            ("hour", "Asia/Kathmandu", "2026-02-01T05:00:00+05:45"),
            ("day", "UTC", "2026-01-31"),
            ("day", "Europe/Berlin", "2026-02-01"),
            ("week", "UTC", "2026-W05"),
            ("month", "UTC", "2026-01"),
            ("month", "Europe/Berlin", "2026-02"),
        ):
            with row(self, period, zone):
                self.assertEqual(label(period, at, zone_of(zone)), text)

    def test_the_hour_that_comes_twice(self) -> None:
        """When clocks go back, the two hours of one name are two rows."""
        berlin = zone_of("Europe/Berlin")
        hours = {label("hour", utc(f"2026-10-25T0{hour}:30"), berlin) for hour in (0, 1)}
        self.assertEqual(hours, {"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"})

    @given(at=st.integers(0, 4_000_000_000), period=st.sampled_from(PERIODS), zone=st.sampled_from(ZONES))
    def test_a_period_is_one_piece(self, at: int, period: str, zone: str) -> None:
        """Every moment from where a period begins to where it ends has its label, and the moments around have not."""
        where = zone_of(zone)
        begun, ended = begins(period, at, where), ends(period, at, where)
        self.assertTrue(begun <= at < ended, (begun, at, ended))
        name = label(period, at, where)
        self.assertEqual([label(period, each, where) for each in (begun, ended - 1)], [name, name])
        self.assertNotIn(name, [label(period, each, where) for each in (begun - 1, ended)])
