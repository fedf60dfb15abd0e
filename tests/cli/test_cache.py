"""C{llmproxy cache}."""

from __future__ import annotations

import json
from typing import Any

from ..web.manage.cacheapi import CacheManageTestCase
from .api import CommandTestCase


class CacheTests(CacheManageTestCase, CommandTestCase):
    def purge(self, *arguments: str) -> Any:
        self.controls.fill()
        return self.invoke("cache", "purge", *arguments)

    def test_purge(self) -> None:
        """Each way of saying what goes reaches the server as it was said; the words are the reference's."""
        for arguments, body, words in (
            (("--url", "/v1/models"), {"url": "/v1/models"}, "Cache entry deleted successfully."),
            (("--method", "GET", "--url", "/v1/no"), {"method": "GET", "url": "/v1/no"}, "Cache entry was not found."),
            (("--prefix", "/v1/models"), {"prefix": "/v1/models"}, "Cache prefix purge completed: 5 entries deleted."),
            (("--project-id", "p2"), {"project_id": "p2"}, "Cache purge completed: 1 entry deleted."),
            (("--api", "other"), {"api": "other"}, "Cache purge completed: 1 entry deleted."),
            (("--all",), {"all": True}, "Cache purge completed: 9 entries deleted."),
        ):
            result = self.purge(*arguments)
            self.assertEqual((result.exit_code, result.stdout), (0, words + "\n"), result.output)
            self.assertEqual(json.loads(self.asked[-1][3] or b""), body, (arguments, body, words))

    def test_json(self) -> None:
        """Scripts get the server's answer."""
        self.controls.fill()
        self.assertEqual(self.said("cache", "purge", "--all"), {"deleted": 9})

    def test_manage(self) -> None:
        """The name that it has in scripts written for the reference."""
        self.controls.fill()
        result = self.invoke("manage", "cache", "purge", "--method", "GET", "--url", "/v1/models")
        self.assertEqual((result.exit_code, result.stdout), (0, "Cache entry deleted successfully.\n"))

    def test_nothing_said(self) -> None:
        """Nobody empties a cache by leaving something out."""
        for arguments in ((), ("--method", "GET")):
            result = self.purge(*arguments)
            self.assertEqual(result.exit_code, 2, arguments)
            self.assertIn("--all", result.stderr)
        self.assertEqual(self.asked, [])

    def test_refused(self) -> None:
        """What the server refuses is told in its words."""
        result = self.purge("--url", "v1/models")
        self.assertEqual((result.exit_code, "invalid URL" in result.stderr), (1, True))
        self.controls.away = True
        self.assertEqual(self.purge("--all").exit_code, 5)

    def test_stats(self) -> None:
        """A line a number, and the server's JSON for scripts."""
        self.controls.fill()
        shown = self.invoke("cache", "stats").stdout
        for line in ("backend       memory", "hits          3", "hit ratio     60.0%", "entries       9"):
            self.assertIn(line + "\n", shown)
        self.assertEqual(self.said("cache", "stats")["misses"], 2)
