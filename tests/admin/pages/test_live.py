"""The stream of what happens now."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed

from llmproxy.web.livefeed import LiveFeed, Source

from ..browser import PagesTestCase


class LiveTests(PagesTestCase):
    def resource(self, *arguments: Any, **more: Any) -> Any:
        feed = LiveFeed(self.clock, {"numbers": Source("usage.read", lambda: succeed(1))}, lambda: True)
        return super().resource(*arguments, feed=feed, **more)

    def test_stream(self) -> None:
        """Who is signed in gets it as events that nothing in between keeps; nobody else does."""
        self.assertEqual(self.visit("/live/events").status, 303)
        self.sign_in()
        shown = self.visit("/live/events")
        self.assertEqual(shown.header("content-type"), "text/event-stream")
        self.assertEqual((shown.header("cache-control"), shown.header("x-accel-buffering")), ("no-store", "no"))
        self.assertIsNone(shown.header("content-disposition"))
