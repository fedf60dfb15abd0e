"""Static files: kept for good, and asked for by what is in them."""

from __future__ import annotations

import gzip

from llmproxy.admin.static import StaticFiles

from .browser import PagesTestCase


class StaticTests(PagesTestCase):
    def test_served(self) -> None:
        """Each file is there without a session, packed or not, and never asked for again."""
        files = StaticFiles()
        self.assertLessEqual({"admin.css", "admin.js", "htmx.js", "icon.svg"}, set(files.names))
        for name in files.names.values():
            shown = self.visit(f"/static/{name}")
            self.assertEqual(shown.status, 200, name)
            self.assertEqual(shown.header("cache-control"), "public, max-age=31536000, immutable", name)
            self.assertEqual(gzip.decompress(files.get(name).packed), shown.body, name)  # type: ignore[union-attr]

    def test_not_there(self) -> None:
        """Nothing else is served, by whatever name it is asked for."""
        for name in ("admin.css", "../site.py", "..%2Fsite.py", "htmx.LICENSE.txt", ""):
            self.assertIn(self.visit(f"/static/{name}").status, (303, 404), name)

    def test_licence(self) -> None:
        """What is not ours has its licence beside it."""
        from importlib.resources import files

        self.assertIn("Zero-Clause BSD", (files("llmproxy.admin") / "static" / "htmx.LICENSE.txt").read_text())
