"""C{llmproxy sinks}; what a command sends is in C{tests/integration/test_events.py}."""

from __future__ import annotations

import json
from pathlib import Path

from llmproxy.core.events.letters import Redelivered

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

    def test_redeliver(self) -> None:
        """All of them, in as many turns as it takes, each of what there was at the beginning."""
        found = self.invoke("sinks", "redeliver", "hook")
        self.assertEqual((found.exit_code, found.stdout), (0, "hook: 1007 delivered, 3 refused again, 0 left.\n"))
        (limit, before), (again, same) = self.by_hand.asked
        self.assertEqual((limit, again, before == same, bool(before)), (1000, 1000, True, True))
        self.assertEqual(self.invoke("sinks", "redeliver", "hook").stdout, "hook has no dead letters.\n")
        self.assertEqual(self.invoke("sinks", "redeliver", "nothing").exit_code, 3)

    def test_redeliver_some(self) -> None:
        """A limit is one of all turns together."""
        self.by_hand.turns = [Redelivered(1000, 0, 500), Redelivered(5, 0, 495)]
        said = self.said("sinks", "redeliver", "hook", "--limit", "1005")
        self.assertEqual((said["delivered"], said["left"]), (1005, 495))
        self.assertEqual([limit for limit, _ in self.by_hand.asked], [1000, 5])

    def test_redeliver_away(self) -> None:
        """A receiver that is away is a failure, said with what it has taken until then."""
        self.by_hand.turns = [Redelivered(10, 0, 90, "answered 503"), Redelivered(0, 0, 90, "answered 503")]
        found = self.invoke("sinks", "redeliver", "hook")
        self.assertNotEqual(found.exit_code, 0)
        self.assertIn("10 delivered, 0 refused again, 90 left", found.stdout)
        self.assertIn("hook did not take more: answered 503", found.stderr)

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
