"""The tests mirror the package: who changes a module knows where its tests are."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent

MOST_LINES = 400
"""Of a module; most have some 200."""

ELSEWHERE = {
    "interfaces": "each implementation is tested against what it says",
    "store/migrations": "test_migrate.py runs them, tests/integration on every database",
}
"""Modules and packages without a test module of their own, and why."""


class MirrorTests(SynchronousTestCase):
    def test_every_module_has_its_tests(self) -> None:
        """C{llmproxy/a/b.py} is tested by C{tests/a/test_b.py}."""
        missing = []
        for path in sorted((ROOT / "llmproxy").rglob("*.py")):
            name = path.relative_to(ROOT / "llmproxy")
            if path.name == "__init__.py" or any(str(name).startswith(one) for one in ELSEWHERE):
                continue
            if not (ROOT / "tests" / name.with_name(f"test_{path.name}")).exists():
                missing.append(str(name))
        self.assertEqual(missing, [])

    def test_no_module_is_long(self) -> None:
        """One idea is read in one sitting: a module of more lines has two. What a program writes nobody reads so."""
        lengths = {
            str(path.relative_to(ROOT)): path.read_text("utf-8").count("\n")
            for path in sorted((ROOT / "llmproxy").rglob("*.py"))
            if path.name != "snapshot.py"
        }
        self.assertEqual({name: lines for name, lines in lengths.items() if lines > MOST_LINES}, {})

    def test_nothing_is_left_behind(self) -> None:
        """No test has left a directory at the top: they are made below trial's own."""
        self.assertEqual(sorted(path.name for path in ROOT.glob("tests.*")), [])
