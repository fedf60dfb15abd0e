"""Tests for L{llmproxy.cli.prices_source}."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.faults import Fault
from llmproxy.cli.prices_source import PriceSource

from .test_prices import CONFIG


class PriceSourceTests(SynchronousTestCase):
    def test_configuration(self) -> None:
        """The configuration that is named, with the variables of a file; its vendors by the names of its APIs."""
        path, env = self.mktemp(), self.mktemp()
        Path(path).write_text(CONFIG.replace("https://api.openai.com", '"${WHERE_IT_IS}"'))
        Path(env).write_text("WHERE_IT_IS=https://api.openai.com\n")
        source = PriceSource(path, env)
        self.assertEqual(source.vendors, {"openai": ("openai",), "local": ("",)})
        self.assertEqual(len(source.prices.rules), 2)
        self.assertRaises(Fault, lambda: PriceSource(path, None).config)
        self.assertRaises(Fault, lambda: PriceSource("nowhere.yaml", None).config)

    def test_none(self) -> None:
        """Without one there is the book alone."""
        source = PriceSource(None, None)
        self.assertIsNone(source.config)
        self.assertEqual((source.vendors, source.prices.rules), ({}, ()))
