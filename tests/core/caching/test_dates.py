"""The three forms of a date."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.dates import format_date, parse_date

NOW = 1_700_000_000.0

TABLE: list[tuple[bytes, float | None]] = [
    (b"Sun, 06 Nov 1994 08:49:37 GMT", 784111777.0),
    (b"Sunday, 06-Nov-94 08:49:37 GMT", 784111777.0),
    (b"Sun Nov  6 08:49:37 1994", 784111777.0),
    (b"SUN, 06 nov 1994 08:49:37 gmt", 784111777.0),
    (b"sunday, 06-NOV-94 08:49:37 Gmt", 784111777.0),
    (b"sun nOV  6 08:49:37 1994", 784111777.0),
    (b"Friday, 01-Jan-60 00:00:00 GMT", 2840140800.0),
    (b"0", None),
    (b"", None),
    (b"Sun, 06 Nov 1994 08:49:37 CET", None),
    (b"Sun, 06 Nox 1994 08:49:37 GMT", None),
    (b"Sun, 06 Nov 1994 25:49:37 GMT", None),
    (b"1994-11-06T08:49:37Z", None),
]


class DatesTests(SynchronousTestCase):
    def test_each_form(self) -> None:
        """All three forms are read; a date in another zone is none."""
        for text, expected in TABLE:
            self.assertEqual(parse_date(text, NOW), expected, text)

    def test_two_digit_year_far_ahead_is_past(self) -> None:
        """RFC 9110 section 5.6.7: more than 50 years ahead means the century before."""
        parsed = parse_date(b"Sunday, 06-Nov-94 08:49:37 GMT", NOW)
        assert parsed is not None
        self.assertLess(parsed, NOW)

    def test_written_as_read(self) -> None:
        """What is sent is the preferred form."""
        self.assertEqual(format_date(784111777.9), b"Sun, 06 Nov 1994 08:49:37 GMT")
