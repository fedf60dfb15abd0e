"""The wording of what users read, documents, help, errors and log lines, and of what developers read beside."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]

_RIDDLES = re.compile(r"\b(told|whoever|let(?:s|ting)? go|he|his|him|himself|she|her)\b", re.IGNORECASE)
"""Words that stand for a better one: reported, the client, removed; persons and programs are they or it."""

_IN_CODE = re.compile(
    r"(?<![a-z])(told|whoever|let(?:s|ting)?[ _]go)(?![a-z])|\b(he|his|him|himself|she|her|hers)\b", re.IGNORECASE
)
"""The same in names, of which they are a part."""


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

    def test_developers(self) -> None:
        """Nor do names, comments and docstrings, which the next developer reads."""
        wrong = []
        for path in sorted((ROOT / "llmproxy").rglob("*.py")):
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                found = _IN_CODE.search(line)
                if found:
                    wrong.append(f"{path.relative_to(ROOT)}:{number}: {found[0]}")
        self.assertEqual(wrong, [])

    def test_finds_names(self) -> None:
        """The rule sees parts of names, and only whole words."""
        for line, found in {
            "def told(self): ...": True,
            "self._told = x": True,
            "watching.told_of()": True,
            "# Whoever asks gets it.": True,
            "lets go of it": True,
            "it is his": True,
            "this is the head of a history": False,
            "atoll, bold, letters, gold": False,
        }.items():
            self.assertEqual(_IN_CODE.search(line) is not None, found, line)

    def test_finds(self) -> None:
        """Help and messages are looked at; docstrings for developers are not."""
        source = (
            '"""told a"""\n@click.command()\ndef f():\n    """told b"""\n    x = "told c"\ndef g():\n    """told d"""\n'
        )
        self.assertEqual(sorted(text for _, text in shown(source)), ["told b", "told c"])
