"""What is imported when: counts, not times. Whoever embeds the proxy pays for what he uses, and chooses the reactor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent

HEAVY = (
    "sqlalchemy",
    "alembic",
    "cryptography",
    "OpenSSL",
    "rich",
    "click",
    "jinja2",
    "prometheus_client",
    "txredisapi",
)
"""Each costs 10 to 300 ms, or megabytes, and is for a part that may not be used."""

MOST_OF_THE_PACKAGE = 3
"""Modules that C{import llmproxy} may load: none but itself, today (1)."""

MOST_OF_TAP = 340
"""The same for what twistd asks for options; Twisted's own are most of them (CPython 3.11: 304)."""

SCRIPT = """
import sys
before = set(sys.modules)
import {name}
new = set(sys.modules) - before
heavy = sorted(name for name in {heavy!r} if name in sys.modules)
print(len(new), "twisted.internet.reactor" in sys.modules, *heavy)
"""


def imported(name: str) -> tuple[int, str, list[str]]:
    """How many modules it loads, whether there is a reactor then, and which of the heavy ones are."""
    script = SCRIPT.format(name=name, heavy=HEAVY)
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    count, reactor, *heavy = ended.stdout.split()
    return int(count), reactor, heavy


class ImportTests(SynchronousTestCase):
    def test_package(self) -> None:
        """`import llmproxy` is next to nothing."""
        count, reactor, heavy = imported("llmproxy")
        self.assertLessEqual(count, MOST_OF_THE_PACKAGE)
        self.assertEqual((reactor, heavy), ("False", []))

    def test_tap(self) -> None:
        """What twistd imports to show the options loads no database, no TLS, and no reactor."""
        count, reactor, heavy = imported("llmproxy.tap")
        self.assertLessEqual(count, MOST_OF_TAP)
        self.assertEqual((reactor, heavy), ("False", []))

    def test_service(self) -> None:
        """An embedder's process loads a database when it opens one, Redis if it is asked for."""
        _, reactor, heavy = imported("llmproxy.service")
        self.assertEqual(reactor, "False")
        # Twisted's web client brings TLS with it.
        self.assertEqual(set(heavy) - {"cryptography", "OpenSSL"}, set())

    def test_commands(self) -> None:
        """`llmproxy --help` loads no command, no Twisted, and nothing of the rest."""
        _, reactor, heavy = imported("llmproxy.cli.main")
        self.assertEqual((reactor, heavy), ("False", ["click"]))
