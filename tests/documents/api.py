"""The API's own pages, by pydoctor: which there are, and where the names of others lead, without asking the network."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from importlib.util import find_spec
from pathlib import Path

from pydoctor.astbuilder import SyntaxTreeParser
from pydoctor.model import Documentable, Module, ParsedAstModule, PrivacyClass, System
from pydoctor.sphinx import SphinxInventory

PROGRAMS = ("llmproxy.admin", "llmproxy.bench", "llmproxy.cli", "llmproxy.demo", "llmproxy.store.migrations")
"""What stands on the package: nobody calls its functions."""

TWISTED = "https://docs.twisted.org/en/stable/api/"
TREQ = "https://treq.readthedocs.io/en/latest/api.html"
PYTHON = "https://docs.python.org/3/library/"


def _module(name: str) -> str:
    """The longest beginning of a name that is a module."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            if find_spec(".".join(parts[:length])) is not None:
                return ".".join(parts[:length])
        except ModuleNotFoundError:
            continue
    return ""


class Elsewhere(SphinxInventory):
    """Addresses of what Python, Twisted and treq have, from their form: an inventory would have to be fetched."""

    def getLink(self, name: str) -> str | None:
        """See L{SphinxInventory}."""
        package, _, rest = name.partition(".")
        if not rest:
            known = getattr(builtins, name, None)
            is_error = isinstance(known, type) and issubclass(known, BaseException)
            return f"{PYTHON}exceptions.html#{name}" if is_error else None
        module = _module(name)
        if package == "twisted" and module:
            inside = name[len(module) + 1 :].split(".")
            is_class = re.search("[a-z]", inside[0]) and inside[0][:1].isupper()
            page = f"{module}.{inside[0]}" if is_class else module
            return f"{TWISTED}{page}.html" + (f"#{inside[-1]}" if name != page else "")
        if package == "treq" and module:
            return f"{TREQ}#{name}"
        if package in sys.stdlib_module_names and module:
            return f"{PYTHON}{module}.html#{'module-' if name == module else ''}{name}"
        return None


class _Types(ast.NodeTransformer):
    """Of C{Annotated[Type, ...]} the type: what else is said there would be read as code."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        annotated = isinstance(node.value, ast.Name) and node.value.id == "Annotated"
        return node.slice.elts[0] if annotated and isinstance(node.slice, ast.Tuple) else node


class _Parser(SyntaxTreeParser):
    def parseFile(self, path: Path, ctx: Module) -> ParsedAstModule | None:
        parsed = super().parseFile(path, ctx)
        if parsed is not None:
            _Types().visit(parsed.root)
        return parsed


class Package(System):
    """Public names, and the modules beneath them; neither private names nor programs."""

    syntaxTreeParser = _Parser

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        self.intersphinx = Elsewhere(logger=self.msg)

    def privacyClass(self, ob: Documentable) -> PrivacyClass:
        """See L{System}."""
        name = ob.fullName()
        if name in PROGRAMS or re.search(r"(^|\.)_(?!_)", name):
            return PrivacyClass.HIDDEN
        return super().privacyClass(ob)
