"""
The parts of pages that are made of the code. Each stands between two comments, which neither GitHub nor the site shows:
C{<!-- made: NAME -->} and C{<!-- /made -->}. What is around them is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from . import commands, metrics, variables

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
_PART = re.compile(r"(?<=^<!-- made: )(\w+)( -->\n).*?(?=^<!-- /made -->$)", re.DOTALL | re.MULTILINE)

PARTS: dict[str, Callable[[], str]] = {
    "commands": commands.listed,
    "twistd": commands.twistd,
    "variables": variables.listed,
    "more_variables": variables.of_commands,
    "metrics": metrics.listed,
    "dispatcher_metrics": metrics.of_the_dispatcher,
}


def made(text: str) -> str:
    """A page with its parts as the code has them now."""
    return _PART.sub(lambda found: f"{found[1]}{found[2]}\n{PARTS[found[1]]().strip()}\n\n", text)


def named(text: str) -> list[str]:
    """The parts that a page has."""
    return [found[1] for found in _PART.finditer(text)]
