"""What C{make docs} shows of the package's docstrings, and where names of others lead."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from pathlib import Path

from pydoctor.epydoc.markup import ParseError
from pydoctor.epydoc.markup.epytext import parse_docstring
from twisted.trial.unittest import SynchronousTestCase

from ..tables import row
from .api import PROGRAMS, Elsewhere

ROOT = Path(__file__).resolve().parents[2]


def shown() -> list[Path]:
    """The modules of which there are pages."""
    hidden = [ROOT / name.replace(".", "/") for name in PROGRAMS]
    return [path for path in (ROOT / "llmproxy").rglob("*.py") if not any(path.is_relative_to(each) for each in hidden)]


def docstrings(node: ast.Module | ast.ClassDef | ast.FunctionDef, name: str) -> Iterator[tuple[str, str]]:
    """Those of a module, of its classes and functions, but not of functions within others."""
    found = ast.get_docstring(node)
    if found:
        yield name, found
    if not isinstance(node, ast.FunctionDef):
        for each in node.body:
            if isinstance(each, (ast.ClassDef, ast.FunctionDef)):
                yield from docstrings(each, f"{name}.{each.name}")


class DocstringTests(SynchronousTestCase):
    def test_read(self) -> None:
        """Each docstring is read as it is meant, so that the pages are made without a warning."""
        wrong = []
        for path in shown():
            for name, text in docstrings(ast.parse(path.read_text("utf-8")), ""):
                errors: list[ParseError] = []
                with contextlib.suppress(ParseError):
                    parse_docstring(text, errors)
                wrong += [f"{path.relative_to(ROOT)}: {name}: {error.descr()}" for error in errors]
        self.assertEqual(wrong, [])


class ElsewhereTests(SynchronousTestCase):
    def test_addresses(self) -> None:
        """Names of Python, Twisted and treq lead to the pages that they have for them; others nowhere."""
        elsewhere = Elsewhere(logger=lambda *arguments, **named: None)
        twisted, python = "https://docs.twisted.org/en/stable/api/", "https://docs.python.org/3/library/"
        for name, address in {
            "twisted.web.iweb.IBodyProducer": f"{twisted}twisted.web.iweb.IBodyProducer.html",
            "twisted.web.iweb.UNKNOWN_LENGTH": f"{twisted}twisted.web.iweb.html#UNKNOWN_LENGTH",
            "twisted.internet.task.Clock.advance": f"{twisted}twisted.internet.task.Clock.html#advance",
            "twisted.logger": f"{twisted}twisted.logger.html",
            "os.urandom": f"{python}os.html#os.urandom",
            "collections.abc.Callable": f"{python}collections.abc.html#collections.abc.Callable",
            "OSError": f"{python}exceptions.html#OSError",
            "treq.content": "https://treq.readthedocs.io/en/latest/api.html#treq.content",
            "attrs.define": None,
            "feed": None,
        }.items():
            with row(name):
                self.assertEqual(elsewhere.getLink(name), address)
