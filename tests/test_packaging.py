"""The name of the distribution, and the extras that documents and messages tell to install."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ConfigError
from llmproxy.store import backend as locations
from llmproxy.store.backend import locate

from .tables import row

ROOT = Path(__file__).parents[1]
NAME = "txllmproxy"
_WITH_EXTRAS = re.compile(r"([\w.-]*llmproxy)\[([\w,{}]+)\]")
_INSTALL = re.compile(r"pip install (?:--?[\w-]+ )*'?([\w.-]*llmproxy\b)")


def texts() -> list[tuple[Path, str]]:
    """Everything of ours that somebody may read before they type a command."""
    found = [ROOT / name for name in ("README.md", "Makefile", "setup.cfg", "tox.ini", "towncrier.toml", ".ci/run")]
    for folder, pattern in (("docs", "**/*.md"), ("config", "**/*"), ("llmproxy", "**/*"), ("deploy", "**/*")):
        found += [path for path in (ROOT / folder).glob(pattern) if path.is_file() and "__pycache__" not in path.parts]
    return [(path.relative_to(ROOT), path.read_text("utf-8", "replace")) for path in found]


class PackagingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.setup = ConfigParser()
        self.setup.read(ROOT / "setup.cfg")

    def test_name(self) -> None:
        """What is built is called as no other project on PyPI is."""
        self.assertEqual(self.setup["metadata"]["name"], NAME)

    def test_what_is_named_is_what_installs(self) -> None:
        """No document and no message names a stranger's package, or an extra that does not exist."""
        extras = set(self.setup["options.extras_require"])
        wrong = []
        for path, text in texts():
            for name, asked in _WITH_EXTRAS.findall(text):
                unknown = set(asked.split(",")) - extras - {"{extra}"}
                if name != NAME or unknown:
                    wrong.append(f"{path}: {name}[{asked}]")
            wrong += [f"{path}: pip install {name}" for name in _INSTALL.findall(text) if name != NAME]
        self.assertEqual(wrong, [])

    def test_markers(self) -> None:
        """An extra with a marker stands on a line of its own: setuptools takes the semicolon of one line for a list."""
        extras = self.setup["options.extras_require"].items()
        self.assertEqual([name for name, text in extras if ";" in text and not text.startswith("\n")], [])

    def test_missing_driver(self) -> None:
        """Who has no driver for their database is told the line that installs it."""
        self.patch(locations, "find_spec", lambda name: None)
        for url, extra in (("postgresql://h/x", "postgres"), ("mysql://h/x", "mysql")):
            with row(url):
                error = self.assertRaises(ConfigError, locate, url, 1)
            self.assertIn(f"pip install '{NAME}[{extra}]'", str(error))
