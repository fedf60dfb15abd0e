"""C{llmproxy reload}."""

from __future__ import annotations

from twisted.internet.defer import fail

from llmproxy.errors import ConfigError

from ..web.manage.test_config import ConfigManageTestCase
from .api import CommandTestCase


class ReloadTests(ConfigManageTestCase, CommandTestCase):
    def test_said(self) -> None:
        """People hear what has changed, and what waits for the next start; scripts get the answer."""
        said = self.invoke("reload").stdout
        self.assertEqual(said, "changed: apis.a; takes effect at the next start only: ledger.directory\n")

    def test_json(self) -> None:
        self.assertEqual(self.said("reload")["changed"], ["apis.a"])

    def test_wrong(self) -> None:
        """What is wrong is on stderr, and the status says so."""
        self.result = fail(ConfigError("apis.yaml:3:1: apis.a.base_url: expected a URL"))
        result = self.invoke("reload")
        self.assertNotEqual(result.exit_code, 0)
        self.assertIn("apis.yaml:3:1: apis.a.base_url: expected a URL", result.stderr)
