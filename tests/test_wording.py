"""The wording of what users read: documents, help, errors and log lines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]

_RIDDLES = re.compile(r"\b(told|whoever|let(?:s|ting)? go|he|his|him|himself|she|her)\b", re.IGNORECASE)
"""Words that stand for a better one: reported, the client, removed; persons and programs are they or it."""


def shown(source: str) -> Iterator[tuple[int, str]]:
    """Texts of a module that its users may see: its strings, and the docstrings of commands, which are their help."""
    tree = ast.parse(source)
    statements = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    helps = {node.body[0].value for node in ast.walk(tree) if _is_command(node) and isinstance(node.body[0], ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or " " not in node.value:
            continue
        if node not in statements or node in helps:
            yield node.lineno, node.value


def _is_command(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef):
        return False
    return any("command" in ast.unparse(one) or "group" in ast.unparse(one) for one in node.decorator_list)


class WordingTests(SynchronousTestCase):
    def test_package(self) -> None:
        """No help, error or log line is a riddle, or takes a person for a man."""
        wrong = []
        for path in sorted((ROOT / "llmproxy").rglob("*.py")):
            for line, text in shown(path.read_text("utf-8")):
                found = _RIDDLES.search(text)
                if found:
                    wrong.append(f"{path.relative_to(ROOT)}:{line}: {found[0]}")
        self.assertEqual(wrong, [])

    def test_documents(self) -> None:
        """Nor does any document, nor the configuration that comes with the proxy."""
        wrong = []
        for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "config" / "apis.yaml"]:
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                # What stands between backticks are names.
                found = _RIDDLES.search(re.sub(r"`[^`]*`", "", line))
                if found:
                    wrong.append(f"{path.relative_to(ROOT)}:{number}: {found[0]}")
        self.assertEqual(wrong, [])

    def test_finds(self) -> None:
        """Help and messages are looked at; docstrings for developers are not."""
        source = (
            '"""told a"""\n@click.command()\ndef f():\n    """told b"""\n    x = "told c"\ndef g():\n    """told d"""\n'
        )
        self.assertEqual(sorted(text for _, text in shown(source)), ["told b", "told c"])
