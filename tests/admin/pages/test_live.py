"""The stream of what happens now."""

from __future__ import annotations

from ..browser import PagesTestCase


class LiveTests(PagesTestCase):
    def test_stream(self) -> None:
        """Who is signed in gets it as events that nothing in between keeps; nobody else does."""
        self.assertEqual(self.visit("/live/events").status, 303)
        self.sign_in()
        shown = self.visit("/live/events")
        self.assertEqual(shown.header("content-type"), "text/event-stream")
        self.assertEqual((shown.header("cache-control"), shown.header("x-accel-buffering")), ("no-store", "no"))
        self.assertIsNone(shown.header("content-disposition"))
