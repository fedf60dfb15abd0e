"""C{/manage/live}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed

from llmproxy.web.livefeed import MOST, LiveFeed, Source

from ...tables import row
from .api import ManageTestCase


class LiveTests(ManageTestCase):
    def resource(self, *arguments: Any, **more: Any) -> Any:
        sources = {
            "numbers": Source("usage.read", lambda: succeed({"in_flight": 1})),
            "secret": Source("audit.read", lambda: succeed("only for some")),
            "more": Source("upstream.read", lambda: succeed([]), if_named=True),
        }
        self.feed = LiveFeed(self.clock, sources, lambda: True)
        return super().resource(*arguments, **{"feed": self.feed, **more})

    def test_watched(self) -> None:
        """It is a stream of events, noted once."""
        answer = self.ask("GET", "/live")
        self.assertEqual((answer.status, answer.header("content-type")), (200, "text/event-stream"))
        self.assertTrue(answer.body.startswith(b"retry: "))
        self.assertEqual([action for action, *_ in self.notes.events], ["live.watch"])

    def test_named(self) -> None:
        """Who names events gets those alone; some come to nobody else; what there is not is refused."""
        wanted: list[list[str]] = []
        watch = self.feed.watch
        self.patch(self.feed, "watch", lambda names, still: (wanted.append(sorted(names)), watch(names, still))[1])
        for query in ("", "?events=more,numbers", "?events=,"):
            with row(query):
                self.assertEqual(self.ask("GET", f"/live{query}").status, 200)
        self.assertEqual(wanted, [["numbers", "secret"], ["more", "numbers"], ["numbers", "secret"]])
        self.refused(self.ask("GET", "/live?events=numbers,nothing"), 400, "Bad request")

    def test_bounded(self) -> None:
        """Beyond a bound nobody more can watch: each holds a connection."""
        self.feed._watchers.update(object() for _ in range(MOST))  # type: ignore[misc]
        self.refused(self.ask("GET", "/live"), 503, "Service temporarily unavailable")
