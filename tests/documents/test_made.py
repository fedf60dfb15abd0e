"""The parts of pages that are made of the code are as the code has them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.variables import EFFECTIVE

from ..tables import row
from . import commands, variables
from .made import PAGES, PARTS, made, named


class MadeTests(SynchronousTestCase):
    def test_current(self) -> None:
        """What stands in the pages is what C{make reference} writes."""
        for page in PAGES:
            text = page.read_text("utf-8")
            self.assertTrue(made(text) == text, f"{page.name} is not up to date: say make reference")

    def test_all(self) -> None:
        """Each part stands in one page."""
        found = [name for page in PAGES for name in named(page.read_text("utf-8"))]
        self.assertEqual(sorted(found), sorted(PARTS))

    def test_every_variable(self) -> None:
        """No variable is left out."""
        text = variables.listed()
        for name in EFFECTIVE:
            with row(name):
                self.assertEqual(text.count(f"| `{name}`"), 1)

    def test_every_option(self) -> None:
        """No option of any command is left out."""
        text = commands.listed()
        for path, command in commands.commands():
            for names, _ in commands.options(command):
                with row(path, names):
                    self.assertIn(names, text)
