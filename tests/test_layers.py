"""Who imports whom: arrows point down only, and nothing installs a reactor by being imported."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from twisted.internet import tcp, unix
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "llmproxy"

LAYERS = (
    {
        "message",
        "record",
        "api",
        "principal",
        "native",
        "origin",
        "apisettings",
        "errors",
        "identityerrors",
        "limiterrors",
        "usage",
        "usagelimits",
    },
    {"core"},
    {"interfaces"},
    {"config", "providers", "prices"},
    {"composition", "bodies", "replay", "net", "redis"},
    {"management"},
    {"web", "middleware", "upstream", "cache", "limits", "store", "ledger", "sinks", "identity"},
    {"admin"},
    {"tap", "service", "app", "cli", "bench", "doctor", "workers", "demo", "testing", "__init__", "__main__"},
)
"""From the bottom up; docs/architecture.md shows the same, the other way round."""

SIBLINGS = LAYERS[6]
"""Parts that meet in C{interfaces} and do not import each other."""

REACTOR = {"tap", "cli"}
"""Who may import the global reactor."""

WORKER = PACKAGE / "workers/process.py"
"""The program of a worker, likewise."""

CORE_MAY_IMPORT = {"twisted.web.iweb"}
"""L{UNKNOWN_LENGTH} is a constant; everything else of Twisted does something."""


CLOCKED = PACKAGE / "net/clockedcall.py"
"""Who may use L{LoopingCall}."""

INTERNALS = PACKAGE / "net/twistedinternals.py"
"""Who may use private names of Twisted."""

PRIVATE = {
    *("_tempDataBuffer", "_tempDataLen", "_appSendBuffer", "_parsePOSTFormSubmission"),
    *(name for part in (tcp.Server, unix.Port, TLSMemoryBIOProtocol) for name in dir(part) if re.match("_[a-z]", name)),
}
"""Of transports, ports and sites."""


def modules() -> Iterator[tuple[Path, str]]:
    """Every module of the package, with the part that it belongs to."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> tuple[tuple[int, str], ...]:
    """The line and the full name of everything that a module imports, wherever in it."""
    return facts(path)[0]


@cache
def facts(path: Path) -> tuple[tuple[tuple[int, str], ...], tuple[tuple[int, str], ...]]:
    """What a module imports, and the private names of Twisted that it reads or writes; it is read once."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    private = tuple((node.lineno, name) for node in nodes if (name := _name_read(node)) in PRIVATE)  # type: ignore[attr-defined]
    return tuple(_imports(path, nodes)), private


def _imports(path: Path, nodes: list[ast.AST]) -> Iterator[tuple[int, str]]:
    inside = path.relative_to(ROOT).with_suffix("").parts
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*inside[: len(inside) - node.level], *([base] if base else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def _name_read(node: ast.AST) -> str:
    """The attribute that is read or written of an object that is not the module's own."""
    if isinstance(node, ast.Attribute):
        own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        return "" if own else node.attr
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr"):
        name = node.args[1]
        return str(name.value) if isinstance(name, ast.Constant) else ""
    return ""


def level(part: str) -> int:
    for number, layer in enumerate(LAYERS):
        if part in layer:
            return number
    raise LookupError(f"{part} belongs to no layer: name it in LAYERS and in docs/architecture.md")


class LayerTests(SynchronousTestCase):
    def test_arrows_point_down(self) -> None:
        """No part imports one that is above it, and no sibling another."""
        wrong = []
        for path, part in modules():
            for line, name in imports(path):
                words = name.split(".")
                if words[0] != "llmproxy" or len(words) < 2 or words[1] == "__version__":
                    continue
                other = words[1]
                if level(other) > level(part) or (other != part and {part, other} <= SIBLINGS):
                    wrong.append(f"{path.relative_to(ROOT)}:{line}: {part} imports {other}")
        self.assertEqual(wrong, [])

    def test_core_is_pure(self) -> None:
        """The rules know nothing of Twisted."""
        wrong = []
        for path, part in modules():
            if part != "core":
                continue
            for line, name in imports(path):
                if name.split(".")[0] in ("twisted", "treq", "zope") and name.rpartition(".")[0] not in CORE_MAY_IMPORT:
                    wrong.append(f"{path.relative_to(ROOT)}:{line}: {name}")
        self.assertEqual(wrong, [])

    def test_redis_is_for_all(self) -> None:
        """What connects to Redis knows nothing of what it is used for: cache, limits and events share it."""
        wrong = [
            f"{path.relative_to(ROOT)}:{line}: {name}"
            for path, part in modules()
            for line, name in imports(path)
            if part == "redis" and "cach" in name
        ]
        self.assertEqual(wrong, [])

    def test_private_names(self) -> None:
        """One module knows private names of Twisted: where another version has others, that one is changed."""
        wrong = []
        for path, _ in modules():
            if path == INTERNALS:
                continue
            for line, name in imports(path):
                words = name.split(".")
                if words[0] == "twisted" and any(re.match("_[^_]", word) for word in words):
                    wrong.append(f"{path.relative_to(ROOT)}:{line}: {name}")
            wrong += [f"{path.relative_to(ROOT)}:{line}: {name}" for line, name in facts(path)[1]]
        self.assertEqual(wrong, [])

    def test_reactor(self) -> None:
        """Only the entry points of a process take the global reactor; all others are given one."""
        wrong = [
            f"{path.relative_to(ROOT)}:{line}"
            for path, part in modules()
            for line, name in imports(path)
            if name == "twisted.internet.reactor" and part not in REACTOR and path != WORKER
        ]
        self.assertEqual(wrong, [])

    def test_clocks(self) -> None:
        """Who calls something at intervals gives the clock: a LoopingCall would take, and so install, the reactor."""
        wrong = [
            f"{path.relative_to(ROOT)}:{line}"
            for path, _ in modules()
            for line, name in imports(path)
            if name == "twisted.internet.task.LoopingCall" and path != CLOCKED
        ]
        self.assertEqual(wrong, [])

    def test_importing_installs_nothing(self) -> None:
        """Whoever imports all of it can still choose a reactor."""
        names = [
            ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            for path, _ in modules()
            if "migrations" not in path.parts
        ]
        script = f"import sys, importlib\nfor name in {names!r}: importlib.import_module(name)\n"
        script += "sys.exit('twisted.internet.reactor' in sys.modules)"
        ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
