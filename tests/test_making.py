"""The tools of those who work on the proxy: make, tox, the totals of CI, and the news."""

from __future__ import annotations

import re
import runpy
import subprocess
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from llmproxy import __version__

from .lowest import SETUP, requirements
from .tables import row

ROOT = Path(__file__).resolve().parents[1]

RUN = "-----\nRan {} tests in 1.234s\n\n{}\n"
GOOD = RUN.format(5, "PASSED (skips=2, successes=3)")
BAD = RUN.format(9, "FAILED (failures=1, errors=2, unexpectedSuccesses=1, expectedFailures=1, successes=4)")
EMPTY = RUN.format(0, "PASSED")


class TotalsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.totals: dict[str, Any] = runpy.run_path(str(ROOT / ".ci" / "totals.py"))

    def test_runs(self) -> None:
        """Each run of trial counts, and nothing that only looks like its end."""
        rows = {
            "": (0, 0, 0),
            GOOD: (3, 0, 2),
            GOOD + "lint\n" + GOOD: (6, 0, 4),
            GOOD + BAD: (8, 4, 2),
            BAD + GOOD: (8, 4, 2),
            EMPTY + GOOD: (3, 0, 2),
            "PASSED (successes=100)\n" + GOOD: (3, 0, 2),
        }
        for text, expected in rows.items():
            self.assertEqual(self.totals["totals"](text), expected, text)

    def test_status(self) -> None:
        """A run that failed, or one that did not come to its end, is no success."""
        rows = [(GOOD, "0", 0), (GOOD + BAD, "2", 1), (BAD + GOOD, "2", 1), (GOOD, "2", 1), ("", "0", 1)]
        for number, (text, status, expected) in enumerate(rows):
            path = Path(self.mktemp())
            path.write_text(text)
            with redirect_stdout(StringIO()):
                found = self.totals["main"](str(path), status)
            self.assertEqual(found, expected, number)

    def test_faults(self) -> None:
        """What failed is said again in trial's words, before the totals; what was skipped is not."""
        line, end = "=" * 79, "-" * 79
        texts = {
            f"{line}\n[SKIPPED]\nwhy\n\na.b\n": [],
            f"{line}\n[FAIL]\nTrace\n\nb.c\n": ["[FAIL]\nTrace\n\nb.c"],
            f"{line}\n[ERROR]\nTrace\n\nd.e\nf.g\n": ["[ERROR]\nTrace\n\nd.e\nf.g"],
        }
        log = "".join(f"{text}{end}\nRan 1 tests in 1.0s\n\nPASSED (successes=1)\n" for text in texts)
        expected = [fault for found in texts.values() for fault in found]
        self.assertEqual(self.totals["faults"](log), expected)
        path = Path(self.mktemp())
        path.write_text(log)
        with redirect_stdout(StringIO()) as said:
            self.totals["main"](str(path), "1")
        self.assertEqual(said.getvalue().splitlines()[-1], "3 passed, 1 failed, 0 skipped")
        self.assertIn(expected[1], said.getvalue())


class MakeTests(SynchronousTestCase):
    def commands(self, target: str) -> list[str]:
        """What C{make} would run for a target, where the environment is made already."""
        venv = Path(self.mktemp()).absolute()
        venv.mkdir()
        (venv / "test.stamp").touch()
        (venv / "venv.stamp").touch()
        command = ["make", "--no-print-directory", "--dry-run", f"VENV={venv}", f"--old-file={venv}/test.stamp", target]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()

    def test_unit_is_all_but_integration(self) -> None:
        """Every test runs in one of the two, and in one only."""
        [unit] = self.commands("unit")
        named = [word for word in unit.split() if word.startswith("tests")]
        packages = {f"tests.{path.parent.name}" for path in (ROOT / "tests").glob("*/__init__.py")}
        modules = {f"tests.{path.stem}" for path in (ROOT / "tests").glob("test_*.py")}
        self.assertEqual(sorted(named), sorted((packages | modules) - {"tests.integration"}))
        [integration] = self.commands("integration")
        self.assertTrue(integration.endswith(" tests.integration"), integration)

    def test_properties(self) -> None:
        """Each module that has a property is run with all examples; its name is one of a module."""
        *_, command = self.commands("properties")
        named = [word for word in command.split() if word.startswith("tests.")]
        self.assertTrue(command.startswith("LLMPROXY_EXAMPLES=${LLMPROXY_EXAMPLES:-1} "), command)
        modules = [path for path in (ROOT / "tests").rglob("test_*.py") if "integration" not in path.parts]
        having = [
            path for path in modules if re.search(r"^from hypothesis |import .*\bexamples\b", path.read_text(), re.M)
        ]
        expected = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in having]
        self.assertEqual(sorted(named), sorted(expected))
        self.assertGreater(len(named), 50)

    def test_everything(self) -> None:
        """C{make test} is lint, then unit, then integration; CI runs that."""
        expected = self.commands("lint") + self.commands("unit") + self.commands("integration")
        found = self.commands("test")
        self.assertEqual([_without_place(line) for line in found], [_without_place(line) for line in expected])
        self.assertIn("make --keep-going test properties ", (ROOT / ".ci" / "run").read_text())

    def test_documents(self) -> None:
        """C{make docs} makes the site and the API's pages within it, and each warning is an error."""
        *_, site, api, _ = self.commands("docs")
        for line in (site, api):
            self.assertIn(" -W ", line)
            self.assertIn(" build/site", line)


def _without_place(line: str) -> str:
    return line.split("/bin/", 1)[1]


class LowestTests(SynchronousTestCase):
    def test_ours(self) -> None:
        """Each requirement of the proxy is held at the lowest version that it names."""
        found = requirements(SETUP.read_text())
        self.assertIn("Twisted[tls] == 26.4", found)
        self.assertTrue(any(line.startswith("hypothesis >=") for line in found), found)

    def test_every_requirement_has_a_lowest(self) -> None:
        """What names no lowest version cannot be tested with it."""
        text = "[options]\ninstall_requires =\n    a >= 1.2\n    b >= 3; python_version >= '3.14'\n"
        extras = "[options.extras_require]\ntest =\n    c >= 4\n"
        self.assertEqual(requirements(text + extras), ["a == 1.2", "b == 3; python_version >= '3.14'", "c >= 4"])
        ours = [line for line in requirements(SETUP.read_text()) if "==" not in line and ">=" not in line]
        self.assertEqual(ours, [])


class NewsTests(SynchronousTestCase):
    def test_version(self) -> None:
        """The version that the package says is the latest of which the news tell."""
        found = re.findall(r"^## llmproxy (\S+) \(\d{4}-\d\d-\d\d\)$", (ROOT / "NEWS.md").read_text(), re.MULTILINE)
        self.assertEqual(found[:1], [__version__])

    def test_fragments(self) -> None:
        """Each fragment has a name that towncrier reads, and one paragraph of words."""
        folder = ROOT / "llmproxy" / "newsfragments"
        wrong = []
        for path in sorted(folder.iterdir()):
            if path.name == "_template.md.jinja":
                continue
            named = re.fullmatch(r"\d+\.[\w-]+\.(feature|bugfix|doc|removal|misc)", path.name)
            if named is None or "\n\n" in path.read_text().strip() or not path.read_text().strip():
                wrong.append(path.name)
        self.assertEqual(wrong, [])
        self.assertTrue((folder / "_template.md.jinja").exists())


class DocumentTests(SynchronousTestCase):
    def test_index(self) -> None:
        """Each document stands in the index of them."""
        index = (ROOT / "docs" / "README.md").read_text()
        names = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
        self.assertEqual({name for name in names if f"({name})" not in index}, set())

    def test_links(self) -> None:
        """A link to a file or heading of ours leads somewhere."""
        broken = []
        for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
            for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
                name, _, heading = link.partition("#")
                if "://" in link:
                    continue
                target = path.parent / name if name else path
                if not target.exists() or (heading and heading not in _headings(target.read_text())):
                    broken.append(f"{path.name}: {link}")
        self.assertEqual(broken, [])

    def test_how_to_contribute(self) -> None:
        """Tests, targets and environments that newcomers are told to run are there."""
        text = (ROOT / "CONTRIBUTING.md").read_text()
        for name in re.findall(r"twisted\.trial (tests\S+?)`", text):
            with row(name):
                self.assertIsNotNone(namedAny(name))
        for target in re.findall(r"`make (\w+)", text):
            with row(target):
                self.assertIn(f"\n{target}:", (ROOT / "Makefile").read_text())
        for environment in re.findall(r"`tox -e (\w+)", text):
            with row(environment):
                self.assertIn(environment, (ROOT / "tox.ini").read_text())


def _headings(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    lines = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}
