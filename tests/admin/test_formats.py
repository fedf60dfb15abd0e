"""Numbers, money and moments as readers are used to them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.formats import Formats, moment_of
from llmproxy.admin.reader import Reader

NOW = 1_700_000_000.0
ENGLISH = Formats(Reader("en-US", "UTC"), NOW)
GERMAN = Formats(Reader("de", "Europe/Berlin"), NOW)


class NumberTests(SynchronousTestCase):
    def test_written(self) -> None:
        """Each has the separators of its reader, and what is not there is a dash."""
        for name, value, english, german in (
            ("number", 1234567, "1,234,567", "1.234.567"),
            ("number", None, "–", "–"),
            ("compact", 9999, "9,999", "9.999"),
            ("compact", 1_234_567, "1.2M", "1,2\xa0Mio."),
            ("money", "1234.5", "$1,234.50", "1.234,50\xa0$"),
            ("money", "0.0012345", "$0.0012", "$0,0012"),
            ("money", "0.000004", "<\xa0$0.00001", "<\xa0$0,00001"),
            ("money", "0.000014", "$0.00001", "$0,00001"),
            ("money", 0, "$0.00", "0,00\xa0$"),
            ("money", None, "–", "–"),
            ("percent", 0.256, "26%", "26\xa0%"),
            ("percent", 0.004, "0.4%", "0,4%"),
            ("size", 512, "512 B", "512 B"),
            ("size", 1536 * 1024, "1.5 MiB", "1,5 MiB"),
            ("seconds", 0.35, "350 ms", "350 ms"),
            ("seconds", 2.14, "2.1 s", "2,1 s"),
            ("seconds", 180, "3 minutes", "3 Minuten"),
        ):
            self.assertEqual(getattr(ENGLISH, name)(value), english, (name, value))
            self.assertEqual(getattr(GERMAN, name)(value), german, (name, value))


class MomentTests(SynchronousTestCase):
    def test_shown(self) -> None:
        """A moment is shown in the reader's zone, and in UTC where the pointer is on it."""
        shown = GERMAN.moment("2023-11-14T22:13:20.250000Z")
        at = 'datetime="2023-11-14T22:13:20Z" title="2023-11-14 22:13:20 UTC"'
        self.assertEqual(shown, f'<time {at} lang="de">14.11.2023, 23:13:20</time>')
        self.assertNotIn("lang=", ENGLISH.moment(NOW))
        self.assertIn(">Nov 14, 2023<", ENGLISH.day(NOW))

    def test_ago(self) -> None:
        """How long ago something was has the moment itself on hover."""
        self.assertIn(">3 minutes ago<", ENGLISH.ago(NOW - 180))
        self.assertIn(">in 2 days<", ENGLISH.ago(NOW + 2 * 86_400))
        self.assertIn("2023-11-14 22:10:20 UTC", ENGLISH.ago(NOW - 180))
        for nothing in (None, ""):
            shown = {ENGLISH.ago(nothing), ENGLISH.moment(nothing), ENGLISH.day(nothing)}
            self.assertEqual(shown, {"–"}, nothing)

    def test_read(self) -> None:
        """A moment is read as the API writes it, in any zone."""
        at = datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)
        there = at.astimezone(timezone(timedelta(hours=9)))
        for value in (NOW, int(NOW), "2023-11-14T22:13:20Z", "2023-11-15T07:13:20+09:00", there):
            self.assertEqual(moment_of(value), at, value)

    def test_ticks(self) -> None:
        """A period of a chart is named by what tells it from the next."""
        for unit, words in (("hour", "10:13\u202fPM"), ("day", "14 Nov"), ("month", "Nov 2023")):
            self.assertEqual(ENGLISH.tick(NOW, unit), words, unit)
