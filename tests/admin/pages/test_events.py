"""Events in pages."""

from __future__ import annotations

from typing import Any

from attrs import asdict
from twisted.internet.defer import succeed

from llmproxy.admin.pages.events import outcome
from llmproxy.core.events.letters import LettersKept, Redelivered
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.web.manage.sinks import SinkRoutes

from ...web.manage.test_sinks import HOOK, LOG, ByHand
from ..browser import PagesTestCase


class Tried(ByHand):
    async def test(self, name: str) -> tuple[bool, str] | None:
        return {"hook": (False, "503 busy"), "log": (True, "")}.get(name)


class EventsTests(PagesTestCase):
    def setUp(self) -> None:
        self.counted = ProxyMetrics()
        super().setUp()
        self.sign_in()

    def more_routes(self) -> list[Any]:
        self.by_hand = Tried()
        return [SinkRoutes(lambda: succeed(self.counted), self.by_hand).routes()]

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

    def test_letters(self) -> None:
        """How many dead letters there are, and why; they are sent again by a button, which says what came of it."""
        self.counted.sinks = lambda: [HOOK]
        self.assertIn("/admin/events/hook/dead-letters", [href for href, _ in self.visit("/events").page.links])
        shown = self.visit("/events/hook/dead-letters")
        for words in ("answered 422", "Send 3 again", "1 lines of the file are no letters"):
            self.assertIn(words, shown.text, words)
        shown = self.send(shown)
        self.assertIn("1000 events were delivered, 2 refused again, 8 are left.", shown.text)
        self.assertEqual(self.visit("/events/x/dead-letters").status, 404)

    def test_letters_looked_at(self) -> None:
        """An auditor sees them, and sends none."""
        self.cookies = {}
        self.sign_in(self.admin("auditor"))
        shown = self.visit("/events/hook/dead-letters")
        self.assertNotIn("Send 3 again", shown.text)
        csrf = shown.page.forms[0]["fields"]["csrf"]
        self.assertEqual(self.visit("/events/hook/dead-letters", {"csrf": csrf}).status, 403)
        self.assertEqual(self.by_hand.asked, [])

    def test_no_letters(self) -> None:
        """Where there are none, it says what that means."""

        async def none(name: str) -> LettersKept:
            return LettersKept()

        self.by_hand.letters = none  # type: ignore[method-assign]
        self.assertIn("No dead letters", self.visit("/events/hook/dead-letters").text)

    def test_outcome(self) -> None:
        """In words, of one or of many."""
        for found, words in (
            (Redelivered(), "There are no dead letters."),
            (Redelivered(1, 0, 0), "1 event was delivered."),
            (Redelivered(0, 1, 1), "0 events were delivered, 1 refused again, 1 is left."),
            (Redelivered(2, 0, 3, "answered 503"), "2 events were delivered, 3 are left. answered 503"),
        ):
            self.assertEqual(outcome(asdict(found)), words, found)
