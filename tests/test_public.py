"""The public names: what `from llmproxy import …` gives, to whom it tells what, and what that costs."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.interface import InterfaceClass

import llmproxy

ROOT = Path(__file__).resolve().parent.parent

REFERENCE = """
TransparentProxy ProxyConfig APIConfig APIProviderConfig TimeoutConfig ConnectionConfig load_api_config Middleware chain
ProxyMetrics ErrorResponse Project CacheMetricType CacheStatsAggregator CacheStatsAggregatorConfig circuit_breaker
project_active_guard cache_key_from_request cache_key_from_request_with_vary ITokenValidator IProjectStore
IProjectActiveChecker IAuditLogger ICacheStatsStore
""".split()
"""What someone who comes from the reference looks for."""

ALIASES = {"Responder"}
"""Types that are no class: their docstring stands below them in the source, where pydoctor finds it."""

EVERYTHING_FIRST = """
import importlib, pkgutil, llmproxy
for each in pkgutil.iter_modules(llmproxy.__path__):
    if each.name not in ("__main__", "service", "tap", "testing"):
        importlib.import_module(f"llmproxy.{each.name}")
wrong = [name for name in llmproxy.__all__ if type(getattr(llmproxy, name)).__name__ == "module"]
from llmproxy import *
print(wrong, [name for name in llmproxy.__all__ if name not in globals()])
"""


def typed() -> dict[str, str]:
    """What type checkers are told: the name of each import, and its module."""
    tree = ast.parse(Path(llmproxy.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name))
    return {
        alias.name: node.module or "" for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }


class PublicTests(SynchronousTestCase):
    def test_one_list(self) -> None:
        """What runs, what type checkers see, C{__all__} and C{dir()} say the same."""
        self.assertEqual(typed(), llmproxy._MODULE_OF)
        self.assertEqual(sorted(llmproxy.__all__), sorted(llmproxy._MODULE_OF))
        self.assertLessEqual(set(llmproxy.__all__), set(dir(llmproxy)))

    def test_names(self) -> None:
        """Every name is there, is what it says, and is the same each time; the reference's are among them."""
        for name in llmproxy.__all__:
            with self.subTest(name=name):
                found = getattr(llmproxy, name)
                self.assertIs(found, getattr(llmproxy, name))
                if name not in ALIASES:
                    self.assertEqual(found.__name__, name, name)
        self.assertEqual([name for name in REFERENCE if name not in llmproxy.__all__], [])

    def test_unknown(self) -> None:
        """A name that is none is an error like that of any module."""
        with self.assertRaises(ImportError):
            from llmproxy import Nothing  # type: ignore[attr-defined]  # noqa: F401
        error = self.assertRaises(AttributeError, getattr, llmproxy, "Nothing")
        self.assertIn("module 'llmproxy' has no attribute 'Nothing'", str(error))

    def test_after_everything(self) -> None:
        """No name is hidden by a module of the package, whatever was imported before."""
        ended = subprocess.run(
            [sys.executable, "-c", EVERYTHING_FIRST], cwd=ROOT, capture_output=True, text=True, check=True
        )
        self.assertEqual(ended.stdout, "[] []\n")

    def test_reactor(self) -> None:
        """Whoever has all names can still choose a reactor."""
        script = "import sys\nfrom llmproxy import *\nsys.exit('twisted.internet.reactor' in sys.modules)"
        ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))


def documented(name: str) -> list[tuple[str, str | None]]:
    """The docstring of a public name and those that its own public methods have."""
    found: Any = getattr(llmproxy, name)
    texts = [(name, inspect.getdoc(found) if not isinstance(found, InterfaceClass) else found.__doc__)]
    if inspect.isclass(found):
        members = ((each, value) for each, value in vars(found).items() if not each.startswith("_"))
        texts += [(f"{name}.{each}", inspect.cleandoc(value.__doc__)) for each, value in members if _has_words(value)]
    return texts


def _has_words(member: Any) -> bool:
    return (inspect.isfunction(member) or isinstance(member, property)) and bool(member.__doc__)


class DocstringTests(SynchronousTestCase):
    def test_there(self) -> None:
        """Each name says what it is."""
        missing = [name for name in llmproxy.__all__ if name not in ALIASES and not documented(name)[0][1]]
        self.assertEqual(missing, [])

    def test_rendered(self) -> None:
        """pydoctor, where it is installed, reads every docstring as it is meant."""
        try:
            from pydoctor.epydoc.markup.epytext import parse_docstring
        except ImportError:
            self.skipTest("pydoctor is not installed: pip install '.[docs]'")  # type: ignore[no-untyped-call]
        for name in llmproxy.__all__:
            for what, text in documented(name):
                with self.subTest(name=what):
                    errors: list[Any] = []
                    parse_docstring(inspect.cleandoc(text or ""), errors)
                    self.assertEqual([f"{what}: {error.descr()}" for error in errors], [], (what, text))
