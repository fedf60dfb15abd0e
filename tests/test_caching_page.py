"""What docs/caching.md says of tests is true."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .harness import Exchange, a_request

PAGE = Path(__file__).parent.parent / "docs" / "caching.md"
PACKAGES = (
    "tests.core.caching",
    "tests.middleware.caching",
    "tests.middleware",
    "tests.cache",
    "tests.redis",
    "tests.net",
    "tests",
)
NAME = re.compile(r"`(test_\w+)\.(\w+)\.(test_\w+)`")


def exists(module: str, case: str, name: str) -> bool:
    for package in PACKAGES:
        try:
            found = import_module(f"{package}.{module}")
        except ModuleNotFoundError:
            continue
        if hasattr(getattr(found, case, None), name):
            return True
    return False


class PageTests(SynchronousTestCase):
    def test_named_tests_exist(self) -> None:
        """Every test that the page names can be run."""
        named = NAME.findall(PAGE.read_text())
        self.assertGreater(len(named), 80)
        self.assertEqual([name for name in named if not exists(*name)], [])

    def test_every_rule_is_held(self) -> None:
        """Every rule in the tables has a test, or a reason why it has none."""
        rules = [line for line in PAGE.read_text().partition("## Every rule")[2].splitlines() if line.startswith("| ")]
        empty = [line for line in rules if not line.rstrip().rstrip("|").rpartition("|")[2].strip()]
        self.assertEqual(empty, [])
        musts = [line for line in rules if "MUST" in line and "as above" not in line]
        self.assertEqual([line for line in musts if not NAME.search(line)], [])


class ErrorTests(SynchronousTestCase):
    def test_no_member(self) -> None:
        """An error of the proxy's own says nothing of a cache."""
        exchange = Exchange(cached=True)
        client = exchange.client()
        client.receive(a_request(b"/v1/x", b"Cache-Control: only-if-cached"))
        exchange.turn()
        answer = client.take()
        self.assertTrue(answer.startswith(b"HTTP/1.1 504 "))
        self.assertNotIn(b"Cache-Status", answer)
