"""Events in pages."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed

from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.web.manage.sinks import SinkRoutes

from ...web.manage.test_sinks import HOOK, LOG
from ..browser import PagesTestCase


class EventsTests(PagesTestCase):
    def setUp(self) -> None:
        self.counted = ProxyMetrics()
        super().setUp()
        self.sign_in()

    def more_routes(self) -> list[Any]:
        async def test(name: str) -> tuple[bool, str] | None:
            return {"hook": (False, "503 busy"), "log": (True, "")}.get(name)

        return [SinkRoutes(lambda: succeed(self.counted), test).routes()]

    def test_none(self) -> None:
        """Where events go nowhere, it says how they would."""
        self.counted.sinks = list
        self.assertIn("Events go nowhere", self.visit("/events").text)

    def test_tried(self) -> None:
        """What came of one event is said."""
        self.counted.sinks = lambda: [HOOK, LOG]
        for name, words in (("hook", "hook did not take the event: 503 busy"), ("log", "log took one event.")):
            self.assertIn(words, self.send(self.visit("/events"), f"/events/{name}/test").text, name)

    def test_shown(self) -> None:
        """What waits for each, and what came back."""
        self.counted.sinks = lambda: [HOOK, LOG]
        shown = self.visit("/events")
        for words in ("hook", "failing", "answered 503 busy", "log", "ok", "never"):
            self.assertIn(words, shown.text, words)
