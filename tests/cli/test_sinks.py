"""C{llmproxy sinks}; what a command sends is in C{tests/integration/test_events.py}."""

from __future__ import annotations

import json
from pathlib import Path

from ..web.manage.test_sinks import SinksManageTestCase
from .api import CommandTestCase

FILE = """
default_api: a
apis: {a: {base_url: 'http://a', allowed_endpoints: [/v1], allowed_methods: [POST]}}
sinks: [{name: log, type: file}]
"""


class SinksTests(SinksManageTestCase, CommandTestCase):
    def test_list(self) -> None:
        """A line a sink, with what it failed with last."""
        lines = self.invoke("sinks", "list").stdout.splitlines()
        (hook,) = [line for line in lines if "hook" in line]
        self.assertEqual(hook.split()[:5], ["hook", "http", "failing", "3", "40"])
        self.assertIn("answered 503 busy", hook)
        self.assertEqual([each["name"] for each in self.said("sinks", "list")], ["hook", "log"])

    def test_schema(self) -> None:
        """The schema is printed as JSON."""
        self.assertIn("$defs", json.loads(self.invoke("sinks", "schema").stdout))

    def test_unknown(self) -> None:
        """A sink that there is not is 3, with those that there are; one that cannot be made, and a file, is 1."""
        path = self.mktemp()
        Path(path).write_text(FILE)
        found = self.invoke("sinks", "test", "hook", "--config", path)
        self.assertEqual(found.exit_code, 3)
        self.assertIn("has no sink 'hook'; it has log", found.stderr)
        self.assertEqual(self.invoke("sinks", "test", "log", "--config", path + "x").exit_code, 1)
