"""What C{docs/reliability.md} says of failures: each row names its tests, and these are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reliability.md"

OF_REDIS = "tests/integration/test_redis_limits.py"
"""Where rows have the name of a test alone, as the page says above them."""

_FILE = re.compile(r"`(tests/[\w/]+\.py)`")
_TEST = re.compile(r"`(test_\w+)`")


def rows() -> Iterator[tuple[str, str]]:
    """What happens, and the cell of its tests."""
    at = None
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            at = None
        elif "test" in cells:
            at = cells.index("test")
        elif at is not None and not line.startswith("|---"):
            yield cells[0], cells[at]


class DegradationTests(SynchronousTestCase):
    def test_there(self) -> None:
        """A file is there, and has the tests that are named with it."""
        found = list(rows())
        self.assertGreater(len(found), 30)
        wrong, before = [], ""
        for what, cell in found:
            cell = cell.replace("the same", before)
            names, files = _TEST.findall(cell), _FILE.findall(cell)
            texts = [(ROOT / each).read_text("utf-8") for each in (*files, OF_REDIS) if (ROOT / each).is_file()]
            defined = {name for text in texts for name in re.findall(r"\b(test_\w+)\b(?: =|\()", text)}
            if not (files or names) or len(texts) <= len(files) or not set(names) <= defined:
                wrong.append((what, cell))
            before = cell
        self.assertEqual(wrong, [])
