"""Rows of tables that name themselves when they fail, here and in all tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .tables import row

TESTS = Path(__file__).resolve().parent


_COMPARED = {
    **dict.fromkeys(("assertEqual", "assertLess", "assertLessEqual", "assertGreater", "assertGreaterEqual"), 2),
    **dict.fromkeys(("assertTrue", "assertFalse", "assertIsNone", "assertIsNotNone", "assertNoResult"), 1),
}
"""Assertions whose failures do not say where the values came from; how many arguments stand before a message."""


def nameless(node: ast.AST, loop: bool = False) -> Iterator[int]:
    """Lines of assertions in loops over named things where neither a message nor C{with row(…)} names them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.For):
            yield from nameless(ast.Module(child.body, []), loop or _has_names(child.target))
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield from nameless(child)
        elif not (isinstance(child, ast.With) and "row(" in ast.unparse(child.items[0])):
            if loop and isinstance(child, ast.Call) and _is_without_message(child):
                yield child.lineno
            yield from nameless(child, loop)


def _has_names(target: ast.AST) -> bool:
    return any(isinstance(each, ast.Name) and not each.id.startswith("_") for each in ast.walk(target))


def _is_without_message(call: ast.Call) -> bool:
    of, _, name = ast.unparse(call.func).rpartition(".")
    if of != "self" or call.keywords:
        return False
    if name == "assertRaises":
        # It has no place for a message; as a context it stands in one.
        return len(call.args) > 1
    return len(call.args) == _COMPARED.get(name) and not any(isinstance(each, ast.Starred) for each in call.args)


class RowTests(SynchronousTestCase):
    def test_names_the_row(self) -> None:
        """Of a table with one wrong row, that one is named, and what was compared."""

        def check() -> None:
            for number, expected in [(1, 1), (2, 3), (3, 3)]:
                with row("number", number):
                    self.assertEqual(number, expected)

        error = self.assertRaises(self.failureException, check)
        self.assertTrue(str(error).startswith("row 'number', 2: "), error)
        self.assertIn("3", str(error))

    def test_errors_pass(self) -> None:
        """What is no failed assertion stays what it is."""

        def check() -> None:
            with row(1):
                raise KeyError("x")

        self.assertEqual(self.assertRaises(KeyError, check).args, ("x",))


class MessageTests(SynchronousTestCase):
    def test_every_loop(self) -> None:
        """Who sees a test fail sees with which row, in every test."""
        wrong = []
        for path in sorted(TESTS.rglob("*.py")):
            lines = nameless(ast.parse(path.read_text("utf-8")))
            wrong += [f"{path.relative_to(TESTS)}:{line}" for line in sorted(lines)]
        self.assertEqual(wrong, [])

    def test_rule(self) -> None:
        """Only loops are looked at, and in them only what names nothing."""
        rows = {
            "self.assertEqual(1, 2)": [],
            "for x in y: self.assertEqual(x, 2)": [1],
            "for x in y: self.assertEqual(x, 2, x)": [],
            "for x in y:\n with row(x): self.assertEqual(x, 2)": [],
            "for x in y:\n for _ in z: self.assertEqual(x, 2)": [2],
            "for _ in range(3): self.assertEqual(f(), 2)": [],
            "for x in y:\n if x: self.assertEqual(x, 2)": [2],
            "for x in y: self.assertTrue(x)": [1],
            "for x in y: self.assertTrue(x, x)": [],
            "for x in y: self.assertLess(1, x)": [1],
            "for x in y: self.assertRaises(E, f, x)": [1],
            "for x in y:\n with row(x): self.assertRaises(E, f, x)": [],
            "for x in y:\n with self.assertRaises(E): f(x)": [],
            "for x in y: self.assertIn(x, y)": [],
        }
        for source, expected in rows.items():
            with row(source):
                self.assertEqual(list(nameless(ast.parse(source))), expected)
