"""The cache in pages."""

from __future__ import annotations

from typing import Any

from llmproxy.core.routing import RoutingTable
from llmproxy.web.manage.cache import CacheRoutes

from ...web.manage.cacheapi import APIS, KEYS, Controls
from ..browser import PagesTestCase


class CacheTests(PagesTestCase):
    def setUp(self) -> None:
        self.controls: Controls | None = Controls()
        super().setUp()

    def more_routes(self) -> list[Any]:
        return [CacheRoutes(lambda: self.controls, lambda: RoutingTable(APIS, "openai")).routes()]

    def test_shown(self) -> None:
        """Its hit ratio and what it holds; where nothing is cached, that."""
        self.sign_in()
        self.assertIn("60%", self.visit("/cache").text)
        self.controls = None
        self.assertIn("Nothing is cached", self.visit("/cache").text)

    def test_purged(self) -> None:
        """By address, by what addresses begin with, or everything; what is wrong stands beside its field."""
        self.sign_in()
        assert self.controls is not None
        for fields, left, words in (
            ({"what": "url", "address": ""}, len(KEYS), "Say which address"),
            ({"what": "url", "address": "no address"}, len(KEYS), ""),
            ({"what": "url", "address": "/v1/models?x=1"}, len(KEYS) - 1, "It has been purged."),
            (
                {"what": "prefix", "address": "/v1/models", "project_id": "p2"},
                len(KEYS) - 1,
                "1 answer has been purged",
            ),
            ({"what": "all", "address": ""}, 0, "answers have been purged"),
        ):
            self.controls.fill()
            shown = self.send(self.visit("/cache"), **fields)
            self.assertIn(words, shown.text, fields)
            self.assertEqual(len(self.controls.left()), left, fields)

    def test_auditor(self) -> None:
        """Who may only look sees no form, and cannot purge."""
        self.sign_in(self.admin("auditor"))
        shown = self.visit("/cache")
        self.assertNotIn("Purge", shown.text)
