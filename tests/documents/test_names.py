"""Pages that list names which stand in the code: error codes, fields of logs, header fields."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import get_args

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core import http11
from llmproxy.core.fields import CLIENT_ADDRESS_FIELDS
from llmproxy.errors import ProxyError
from llmproxy.message import Cause, Ending
from llmproxy.sinks.accesslog import _Line

from ..tables import row

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "llmproxy"
CODE = re.compile(r"`([^`]+)`")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def section(text: str, title: str) -> str:
    found = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert found, title
    return found


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]


def classes(kind: type[ProxyError]) -> Iterator[type[ProxyError]]:
    for each in kind.__subclasses__():
        if each.__module__.startswith("llmproxy."):
            yield each
            yield from classes(each)


class ErrorTests(SynchronousTestCase):
    """C{docs/errors.md}."""

    def setUp(self) -> None:
        for part in ("web", "middleware", "upstream", "core", "management"):
            for module in walk_packages([str(PACKAGE / part)], f"llmproxy.{part}."):
                import_module(module.name)

    def test_codes(self) -> None:
        """Each code that an answer can have stands there with its status, and no other."""
        found = {(each.code, each.status) for each in classes(ProxyError) if each.code != ProxyError.code}
        found.add((ProxyError.code, ProxyError.status))
        tree = ast.parse(Path(http11.__file__).read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refusal":
                status, code = (each.value for each in node.args[:2] if isinstance(each, ast.Constant))
                found.add((str(code), int(str(status))))
        found.add(("too_many_connections_of_client", 503))
        said = [(CODE.findall(cells[0])[0], int(cells[1])) for cells in rows(page("errors.md")) if cells[1].isdigit()]
        self.assertEqual(sorted(set(said)), sorted(found))

    def test_causes(self) -> None:
        """Each cause of upstream's silence is there, and no other."""
        table = section(page("errors.md"), "Upstream").partition("| `cause` |")[2]
        self.assertEqual({name for cells in rows(table) for name in CODE.findall(cells[0])}, set(get_args(Cause)))


class LogTests(SynchronousTestCase):
    """C{docs/logs.md}."""

    def test_fields(self) -> None:
        """Each field of a line of the access log is there, and no other."""
        tables = section(page("logs.md"), "Fields of the access log")
        usual, few = tables.split("Few exchanges have")
        names = {name for cells in rows(usual) for name in CODE.findall(cells[0])}
        self.assertEqual(names, {each.name for each in msgspec.structs.fields(_Line)})
        source = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
        for cells in rows(few):
            for name in CODE.findall(cells[0]):
                self.assertIn(f'"{name}"', source)

    def test_endings(self) -> None:
        """Each way that an exchange can end is there."""
        names = [
            name for cells in rows(section(page("logs.md"), "How an exchange ends")) for name in CODE.findall(cells[0])
        ]
        self.assertEqual(names[1:], list(get_args(Ending)))


class HeaderTests(SynchronousTestCase):
    """C{docs/headers.md}."""

    ELSEWHERE = frozenset({"bench", "demo", "testing", "providers", "admin", "cli"})
    """Folders that speak as a client, or know names of vendors: what they have is no field of the proxy's."""

    VENDORS = frozenset(
        """
        x-amz-cf-id x-amzn-requestid x-amzn-trace-id x-envoy-upstream-service-time x-goog-request-id x-ms-request-id
        x-response-time x-runtime x-trace-id x-gzip x-proxy-cache x-stainless-
        """.split()
    )
    """Fields of upstream that are not replayed to others by the cache; C{x-gzip} is a coding."""

    def test_own(self) -> None:
        """Each field with a name of its own that the proxy reads or writes is on the page."""
        said = {name.partition(":")[0].lower() for name in CODE.findall(page("headers.md"))}
        used = set()
        for path in PACKAGE.rglob("*.py"):
            if path.relative_to(PACKAGE).parts[0] not in self.ELSEWHERE:
                for name in re.findall(
                    r'b"((?:[Xx]|[Rr]ate[Ll]imit|retry-after|Access-Control)-[\w-]+)"', path.read_text()
                ):
                    used.add(name.lower())
        used |= {name.decode() for name in CLIENT_ADDRESS_FIELDS}
        self.assertEqual(sorted(used - said - self.VENDORS), [])

    def test_there(self) -> None:
        """Each field of the project's own that the page names is in the code."""
        source = "".join(path.read_text() for path in PACKAGE.rglob("*.py")).lower()
        for name in CODE.findall(page("headers.md")):
            if name.lower().startswith("x-llmproxy") or name.startswith("X-Proxy"):
                with row(name):
                    self.assertIn(name.partition(":")[0].lower(), source)
