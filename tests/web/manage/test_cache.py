"""Purging the cache, and its numbers, over the management API."""

from __future__ import annotations

from typing import Any

from llmproxy.core.routing import RoutingTable
from llmproxy.web.manage.cache import CacheRoutes

from ...contracts.cache_store import BODY
from ...middleware.fakes import an_api
from .api import ManageTestCase
from .cacheapi import KEYS, CacheManageTestCase


class PurgeTests(CacheManageTestCase):
    def purge(self, **body: Any) -> Any:
        """What is answered, and how many keys went."""
        self.controls.fill()
        answer = self.ask("POST", "/cache/purge", body)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json["deleted"], len(KEYS) - len(self.controls.left())

    def test_exact(self) -> None:
        """W25: an address goes with every variant, of every project; the answer is the reference's."""
        self.assertEqual(self.purge(method="GET", url="/v1/models"), (True, 3))
        self.assertEqual(self.purge(method="GET", url="/v1/models?x=1"), (True, 1))
        self.assertEqual(self.purge(method="HEAD", url="/v1/models?x=1"), (True, 1))
        self.assertEqual(self.purge(method="GET", url="/v1/mod"), (False, 0))
        self.assertEqual(self.purge(method="POST", url="/v1/models"), (False, 0))
        self.assertEqual(self.purge(method="POST", url="/v1/chat"), (True, 2))
        self.assertEqual(self.purge(url="/v1/chat"), (True, 2))
        self.assertEqual(self.purge(url="/v1/models", project_id="p2"), (True, 1))

    def test_addresses(self) -> None:
        """An address is what a client sends: with the API's name before it, or with scheme and host."""
        self.assertEqual(self.purge(url="/other/v1/models"), (True, 1))
        self.assertEqual(self.purge(url="/v1/models", api="other"), (True, 1))
        self.assertEqual(self.purge(url="https://proxy.example:8080/other/v1/models"), (True, 1))
        self.assertEqual(self.purge(url="http://proxy.example"), (False, 0))

    def test_credential_in_the_address(self) -> None:
        """A key in the query is none of the address, as for requests, and is noted nowhere."""
        self.assertEqual(self.purge(url="/searched/v1/search?token=canary&q=1"), (True, 1))
        self.assertNotIn("canary", repr(self.notes.events))

    def test_prefix(self) -> None:
        """W25: everything below a path, with or without a star; a star in the middle is a star."""
        self.assertEqual(self.purge(prefix="/v1/models"), (5, 5))
        self.assertEqual(self.purge(prefix="/v1/models/"), (1, 1))
        self.assertEqual(self.purge(method="GET", url="/v1/x", prefix="/v1/models*"), (5, 5))
        self.assertEqual(self.purge(prefix="/v1/*/a"), (0, 0))
        self.assertEqual(self.purge(prefix="/other/v1"), (1, 1))
        self.assertEqual(self.purge(prefix="/", api="other"), (1, 1))
        self.assertEqual(self.purge(prefix="*"), (7, 7))
        self.assertEqual(self.purge(prefix="/v1", project_id="p2"), (1, 1))

    def test_project(self) -> None:
        """Everything of a project, in all APIs or in one."""
        self.assertEqual(self.purge(project_id="p2"), (1, 1))
        self.assertEqual(self.purge(project_id="p1"), (7, 7))
        self.assertEqual(self.purge(project_id="p1", api="other"), (1, 1))

    def test_api_and_all(self) -> None:
        """Everything of an API, and everything."""
        self.assertEqual(self.purge(api="openai"), (7, 7))
        self.assertEqual(self.purge(all=True), (9, 9))

    def test_refused(self) -> None:
        """What cannot be meant is refused, and nothing goes."""
        self.controls.fill()
        for body, error in (
            ({}, "method and url are required"),
            ({"method": "GET"}, "method and url are required"),
            ({"all": False}, "method and url are required"),
            ({"url": "v1/models"}, "invalid URL"),
            ({"url": "ftp://x/v1"}, "invalid URL"),
            ({"url": "/v1/m\u00f6del"}, "invalid URL"),
            ({"url": "/v1 models"}, "invalid URL"),
            ({"prefix": "v1"}, "invalid URL"),
            ({"api": "none"}, "no such API"),
            ({"url": "/v1", "api": "none"}, "no such API"),
            ({"all": True, "project_id": "p1"}, "invalid purge"),
            ({"every": True}, "invalid request body"),
        ):
            self.refused(self.ask("POST", "/cache/purge", body), 400, error)
        self.assertEqual(len(self.controls.left()), len(KEYS))

    def test_no_default_api(self) -> None:
        """Without an API at / an address has to name one."""
        routes = CacheRoutes(lambda: self.controls, lambda: RoutingTable([an_api("openai")], None)).routes()
        self.treq = self.client(ManageTestCase.resource(self, more=(routes,)))
        self.refused(self.ask("POST", "/cache/purge", {"url": "/v1/models"}), 400, "invalid URL")

    def test_disabled(self) -> None:
        """Where nothing is cached, nothing can be purged; it is said in the reference's words."""
        routes = CacheRoutes(lambda: None, lambda: RoutingTable([an_api("openai")], None)).routes()
        self.treq = self.client(ManageTestCase.resource(self, more=(routes,)))
        self.refused(self.ask("POST", "/cache/purge", {"all": True}), 400, "caching is disabled")
        self.refused(self.ask("GET", "/cache/stats"), 400, "caching is disabled")

    def test_redis_is_away(self) -> None:
        """A purge that was not made is not told to have been made."""
        self.controls.away = True
        answer = self.ask("POST", "/cache/purge", {"all": True})
        self.assertEqual((answer.status, answer.json["description"]), (503, "no Redis"))

    def test_noted(self) -> None:
        """Who purged what is in the audit log, with how much it was."""
        self.purge(method="GET", url="/v1/models")
        self.purge(prefix="/v1/models", project_id="p1")
        self.purge(prefix="/v1/models?key=canary")
        self.ask("POST", "/cache/purge", {"url": "x"})
        found = [(action, outcome, details) for action, _, outcome, details in self.notes.events]
        for (action, outcome, details), expected in zip(
            found,
            (
                ("success", {"purge_type": "exact", "method": "GET", "url": "/v1/models", "deleted": True}),
                ("success", {"purge_type": "prefix", "prefix": "/v1/models", "project_id": "p1", "deleted": 3}),
                ("success", {"prefix": "/v1/models?", "deleted": 0}),
                ("failure", {"reason": "invalid_url"}),
            ),
            strict=True,
        ):
            self.assertEqual((action, outcome), ("cache.purge", expected[0]), (action, outcome, details))
            self.assertEqual({name: details[name] for name in expected[1]}, expected[1], (action, outcome, details))

    def test_stats(self) -> None:
        """What it holds and what it did."""
        self.controls.fill()
        answer = self.ask("GET", "/cache/stats")
        self.assertEqual(answer.status, 200)
        shown = {name: answer.json[name] for name in ("backend", "hits", "misses", "stores", "entries", "redis")}
        self.assertEqual(shown, {"backend": "memory", "hits": 3, "misses": 2, "stores": 1, "entries": 9, "redis": None})
        self.assertGreater(answer.json["bytes"], 9 * len(BODY))
