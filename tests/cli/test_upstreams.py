"""C{llmproxy upstreams}."""

from __future__ import annotations

from ..web.manage.test_upstreams import UpstreamsManageTestCase
from .api import CommandTestCase


class UpstreamsTests(UpstreamsManageTestCase, CommandTestCase):
    def test_list(self) -> None:
        """A line an upstream; what is not counted is a dash."""
        lines = self.invoke("upstreams", "list").stdout.splitlines()
        (main,) = [line for line in lines if "main" in line]
        self.assertEqual(main.split()[:7], ["openai", "main", "well", "3", "10", "0", "123ms"])
        (azure,) = [line for line in lines if "azure" in line]
        self.assertIn("ejected (12s)", azure)
        (alone,) = [line for line in lines if line.startswith("alone")]
        self.assertEqual(alone.split()[2:6], ["well", "-", "0", "-"])

    def test_drain(self) -> None:
        """It says what becomes of what runs; scripts get the server's answer."""
        said = self.invoke("upstreams", "drain", "openai", "main").stdout
        until = "until it is undrained or the proxy starts again"
        self.assertEqual(said, f"openai main is drained, {until}; 3 running there end as they would.\n")
        self.assertEqual(self.invoke("upstreams", "undrain", "openai", "main").stdout, "openai main is undrained.\n")
        self.assertTrue(self.said("upstreams", "drain", "openai", "azure")["drained"])

    def test_refused(self) -> None:
        """Not found is 3, a conflict 6."""
        self.assertEqual(self.invoke("upstreams", "drain", "openai", "x").exit_code, 3)
        self.assertEqual(self.invoke("upstreams", "drain", "alone").exit_code, 6)
