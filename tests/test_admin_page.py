"""C{docs/admin.md}: the tests that it names are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .tables import row

TESTS = Path(__file__).resolve().parent
PAGE = (TESTS.parent / "docs" / "admin.md").read_text("utf-8")


def tests_of(module: str) -> set[str]:
    """The tests of a module, each with its class."""
    [path] = [each for folder in ("integration", "admin") for each in TESTS.glob(f"{folder}/{module}.py")]
    classes = [each for each in ast.parse(path.read_text("utf-8")).body if isinstance(each, ast.ClassDef)]
    return {f"{each.name}.{test.name}" for each in classes for test in each.body if isinstance(test, ast.FunctionDef)}


class NamedTests(SynchronousTestCase):
    def test_every_one(self) -> None:
        """The table has each of the reference's 59 browser tests, and one or more of ours that exist."""
        table = PAGE[PAGE.index("browser tests check") :]
        rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
        self.assertEqual(len(rows), 59)
        for _, what, ours in rows:
            with row(what):
                named = re.findall("`([^`]+)`", ours)
                self.assertTrue(named)
                for each in named:
                    module, _, test = each.partition(".")
                    self.assertIn(test, tests_of(module))
