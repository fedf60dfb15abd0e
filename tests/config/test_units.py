"""Durations and sizes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.units import format_duration, parse_count, parse_duration, parse_flag, parse_size

from ..properties import examples


class DurationTests(SynchronousTestCase):
    def test_written_as_go_does(self) -> None:
        """The timeouts of the reference's files mean what they meant."""
        table = {
            "120s": 120.0,
            "10ms": 0.01,
            "1h30m": 5400.0,
            "1.5h": 5400.0,
            "1m30.5s": 90.5,
            "250us": 0.00025,
            "250µs": 0.00025,
            "5ns": 5e-9,
            "0": 0.0,
            ".5s": 0.5,
            "7d": 604800.0,
            "1mo": 2_592_000.0,
            "1mo1d30m": 2_592_000.0 + 86_400 + 1800,
            "1d12h": 129600.0,
        }
        for text, seconds in table.items():
            self.assertAlmostEqual(parse_duration(text), seconds, places=12, msg=text)

    def test_a_plain_number_is_seconds(self) -> None:
        """Who writes 30 gets half a minute."""
        self.assertEqual((parse_duration("30"), parse_duration("0.25")), (30.0, 0.25))

    def test_refused_with_what_was_expected(self) -> None:
        """A typing mistake is told, never read as something else."""
        for text in ("", "soon", "10x", "-5s", "1h-3m", "1 h", "s", ".", "1e3", "٣s", "9" * 400):
            with self.assertRaises(ValueError) as caught:
                parse_duration(text)
            self.assertIn("expected a duration such as 30s", str(caught.exception))

    @given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
    @settings(max_examples=examples(50), deadline=None)
    def test_parts_add_up(self, hours: int, minutes: int, seconds: int, millis: int) -> None:
        """However it is split into units, it is the same time."""
        total = hours * 3600 + minutes * 60 + seconds + millis / 1000
        self.assertAlmostEqual(parse_duration(f"{hours}h{minutes}m{seconds}s{millis}ms"), total, places=4)

    def test_shown(self) -> None:
        """A table says it in the way it can be written."""
        self.assertEqual([format_duration(x) for x in (90.0, 0.25, None)], ["90s", "0.25s", "no limit"])


class SizeTests(SynchronousTestCase):
    def test_units(self) -> None:
        """MB is a million, MiB is 2**20, as the standards have it."""
        table = {"0": 0, "512": 512, "10MB": 10**7, "1MiB": 2**20, "1.5kB": 1500, "2 GiB": 2**31, "1k": 1024, "7b": 7}
        for text, size in table.items():
            self.assertEqual(parse_size(text), size, text)

    def test_refused(self) -> None:
        """A size that is none is told."""
        for text in ("", "MB", "-1", "1XB", "1 000", "1e6", "9" * 30):
            with self.assertRaises(ValueError) as caught:
                parse_size(text)
            self.assertIn("expected a size such as 10MB", str(caught.exception))


class FlagTests(SynchronousTestCase):
    def test_every_spelling(self) -> None:
        """Go's, YAML's and those that people type, in any case of letters."""
        for word, value in {"true": True, "t": True, "1": True, "yes": True, "y": True, "on": True}.items():
            for text in (word, word.upper(), word.title()):
                self.assertIs(parse_flag(text), value, text)
        for word in ("false", "f", "0", "no", "n", "off"):
            for text in (word, word.upper(), word.title()):
                self.assertIs(parse_flag(text), False, text)

    def test_refused(self) -> None:
        for text in ("", "yes please", "tru", "2", "-1", "oui"):
            with self.assertRaises(ValueError) as caught:
                parse_flag(text)
            self.assertIn("expected true or false", str(caught.exception))


class CountTests(SynchronousTestCase):
    def test_read(self) -> None:
        self.assertEqual([parse_count(text) for text in ("0", "7", "010")], [0, 7, 10])

    def test_refused(self) -> None:
        for text in ("", "-1", "1.5", "٣", "²", "1e3", "9" * 19):
            with self.assertRaises(ValueError) as caught:
                parse_count(text)
            self.assertIn("expected a whole number", str(caught.exception))
