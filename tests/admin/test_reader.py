"""How a reader is used to see numbers and times."""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.reader import Reader, is_zone, locale_named, preferred, reader_of, zones


class ReaderTests(SynchronousTestCase):
    def test_browser(self) -> None:
        """Where nothing was chosen the browser is asked."""
        for accepted, locale in (
            ("de-DE,de;q=0.9,en;q=0.8", "de-DE"),
            ("xx, fr;q=0.4, pt-BR;q=0.5", "pt-BR"),
            ("de;q=0, fr", "fr"),
            ("*", "en"),
            ("", "en"),
            ("../../etc/passwd", "en"),
            ("de;q=x, fr;q=0.1", "fr"),
            ("a" * 10_000, "en"),
        ):
            self.assertEqual(preferred(accepted), locale, accepted[:40])

    def test_chosen(self) -> None:
        """What was chosen is kept in a cookie, and holds whatever the browser says."""
        chosen = Reader("fr", "Asia/Tokyo", "dark", True)
        self.assertEqual(reader_of(chosen.cookie, "de"), chosen)
        zone_only = reader_of("z=Europe/Berlin", "de")
        self.assertEqual(zone_only, Reader("de", "Europe/Berlin", "auto", False))
        self.assertEqual(reader_of(zone_only.cookie, "fr").locale, "fr")

    def test_nonsense(self) -> None:
        """What is none of these is as if nothing had been said."""
        for cookie in ("l=xx&z=Nowhere/Here&t=pink", "z=../../etc/passwd", "&&&", "l=" + "d" * 500, "\u00e4"):
            self.assertEqual(reader_of(cookie, "de"), Reader("de"), cookie[:40])

    def test_zones(self) -> None:
        """UTC and the zones of regions can be chosen."""
        self.assertEqual(zones()[0], "UTC")
        self.assertIn("Europe/Berlin", zones())
        self.assertTrue(all(map(is_zone, zones())))

    def test_no_look_at_each(self) -> None:
        """Names that nobody knows cost no look at the disk each: a browser could send any number of them."""
        is_zone("UTC")
        began = time.perf_counter()
        for at in range(2000):
            self.assertFalse(is_zone(f"Nowhere/At_{at}"), at)
        self.assertLess(time.perf_counter() - began, 1.0)

    def test_locale(self) -> None:
        """A country that is not known falls back to its language."""
        for name, found in (("de-XX", "de"), ("de_AT", "de_AT"), ("", None), ("e n", None), ("x" * 40, None)):
            locale = locale_named(name)
            self.assertEqual(None if locale is None else str(locale), found, name)
