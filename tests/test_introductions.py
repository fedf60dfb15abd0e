"""The first lines of modules: each says what its module is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1] / "llmproxy"

_NO_NOUN = {
    *("What", "Who", "Whom", "Whose", "Which", "How", "Where", "When", "Why", "Whether"),
    *("From", "With", "To", "For", "By", "In", "On", "Into", "After", "Before", "If", "Here", "There"),
    *("Nothing", "Everything", "Somebody", "Those", "It", "This", "We", "You"),
}
"""Beginnings of riddles, whose answer would be the noun."""

_PARTICIPLES = {"Listening", "Remaining", "Running", "Withering"}
"""Words in -ing that stand before a noun; others have to be one themselves, before C{of} or a mark."""


def introduction(source: str) -> str | None:
    """The first line of a module's docstring; C{None} if it has none."""
    docstring = ast.get_docstring(ast.parse(source))
    return docstring.split("\n")[0] if docstring else None


def is_noun_phrase(line: str) -> bool:
    """
    Whether a line begins as a noun phrase does, as far as its first word shows that.

    Of words in -ing, only those are nouns that stand before C{of} or a mark: C{Routing:}, C{Framing of}.
    """
    first, *rest = line.split(" ")
    if first in _NO_NOUN:
        return False
    if re.fullmatch(r"[A-Z][a-z]+ing", first) and first not in _PARTICIPLES:
        return rest[:1] == ["of"]
    return True


class IntroductionTests(SynchronousTestCase):
    def test_rule(self) -> None:
        """The rule takes nouns and nothing that asks or tells."""
        rows = {
            "Whose request it is.": False,
            "What is asked of it, read and checked.": False,
            "Asking a Redis that may refuse.": False,
            "From an address to a connection.": False,
            "Whether the caller may ask for this.": False,
            "Routing: the API of a target.": True,
            "Framing of responses.": True,
            "Withering tokens: how they look.": True,
            "A circuit breaker as a value.": True,
            "C{/manage}: projects and tokens.": True,
            "HTTP/1.1 request heads out of bytes.": True,
        }
        for line, expected in rows.items():
            self.assertEqual(is_noun_phrase(line), expected, line)

    def test_every_module_introduces_itself(self) -> None:
        """A reader of an open file, or of a list of them, is given a noun and not a riddle."""
        wrong = []
        for path in sorted(ROOT.rglob("*.py")):
            line = introduction(path.read_text("utf-8"))
            if line is None and path.name != "__init__.py":
                wrong.append(f"{path.relative_to(ROOT)}: no docstring")
            elif line is not None and not is_noun_phrase(line):
                wrong.append(f"{path.relative_to(ROOT)}: {line}")
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))
