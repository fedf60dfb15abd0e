"""The page of how things are shown."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.pages.display import locales


class DisplayTests(SynchronousTestCase):
    def test_locales(self) -> None:
        """Languages and countries can be chosen, by their own names, each once."""
        found = dict(locales())
        self.assertEqual((found["de"], found["pt-BR"]), ("Deutsch", "português (Brasil)"))
        self.assertEqual(len(found), len(locales()))
