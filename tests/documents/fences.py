"""
Fenced blocks of the documents, and what stands in comments before them, which neither GitHub nor the site shows.

C{console} blocks are run, page by page, by L{tests.integration.test_documents}. A comment says otherwise:

  - C{<!-- not run: needs an engine -->} before a block: it is not run, for one of L{REASONS};
  - C{<!-- run by: tests.integration.test_make -->} before a block: that module runs it;
  - C{<!-- run: status 0 or 1 -->} before a block: what its commands may end with;
  - C{<!-- run: goes on -->} before a block: what serves in it serves to the end of the page;
  - C{<!-- run first: ... -->} before a block: commands for which a reader would have other things at hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from attrs import define, field

ROOT = Path(__file__).resolve().parents[2]

REASONS = (
    "needs an engine",
    "needs a cluster",
    "needs systemd",
    "needs the network",
    "needs a provider",
    "needs another program",
)
"""Why a block may not be run; more may be said behind it."""

_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$|^ *<!-- (?P<comment>.*?)\s*-->$",
    re.DOTALL | re.MULTILINE,
)

_REMARK = re.compile(r"\s# .*$")


@define
class Block:
    """
    @ivar kind: the language of the fence.
    @ivar first: commands that are to be run before it.
    @ivar unless: why it is not run, C{""} if it is.
    @ivar elsewhere: the module of tests that runs it, C{""} if it is run here.
    @ivar status: what its commands may end with.
    @ivar goes_on: what serves in it is there for the rest of the page.
    """

    kind: str
    text: str
    line: int
    first: str = ""
    unless: str = ""
    elsewhere: str = ""
    status: tuple[int, ...] = (0,)
    goes_on: bool = False


@define
class Command:
    """A line that is typed, with what is shown of its output."""

    text: str
    shown: list[str] = field(factory=list)


def pages() -> list[Path]:
    """Every page of ours with something that can be typed."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def comments(text: str) -> list[str]:
    return [found["comment"] for found in _BLOCK.finditer(text) if found["comment"] is not None]


def blocks(text: str) -> Iterator[Block]:
    """Every block of a page, in its order."""
    first: list[str] = []
    unless = elsewhere = ""
    status: tuple[int, ...] = (0,)
    goes_on = False
    for found in _BLOCK.finditer(text):
        comment = found["comment"]
        if comment is not None:
            name, _, words = comment.partition(":")
            if name == "run first":
                first.append(words.strip("\n"))
            elif name == "not run":
                unless = words.strip()
            elif name == "run by":
                elsewhere = words.strip()
            elif comment == "run: goes on":
                goes_on = True
            elif name == "run":
                status = tuple(map(int, re.findall(r"\d+", words)))
            continue
        indent = len(found["indent"])
        lines = "".join(line[indent:] if line.strip() else line for line in found["text"].splitlines(keepends=True))
        number = text.count("\n", 0, found.start()) + 1
        yield Block(found["kind"], lines, number, "\n".join(first), unless, elsewhere, status, goes_on)
        first, unless, elsewhere, status, goes_on = [], "", "", (0,), False


def commands(text: str) -> Iterator[Command]:
    """The commands of a C{console} block: what follows a C{$}, with the lines that continue it."""
    lines = iter(text.splitlines())
    current: Command | None = None
    for line in lines:
        if not line.startswith("$ "):
            if current is not None and line.strip():
                current.shown.append(line)
            continue
        if current is not None:
            yield current
        typed = line[2:]
        while typed.endswith("\\") or _REMARK.sub("", typed).count("'") % 2:
            typed += "\n" + next(lines)
        current = Command(typed)
    if current is not None:
        yield current


def pattern(shown: str) -> re.Pattern[str]:
    """
    The expression for a line that is shown: any digits for digits, any blanks for blanks, anything for an ellipsis.

    Ids, times, addresses and sizes are others each time.
    """
    parts = re.split(r"(…|\.\.\.|\b[0-9a-f]{8,}\b|sk-\w+|\d+|\s+)", shown.strip())
    return re.compile("".join(_part(part) for part in parts))


def _part(part: str) -> str:
    if part in ("…", "..."):
        return ".*"
    if part.startswith("sk-"):
        return r"sk-\S+"
    if re.fullmatch(r"[0-9a-f]{8,}", part):
        return r"[0-9a-fA-F]+"
    if part.isdigit():
        return r"\d+"
    return r"\s+" if part.isspace() else re.escape(part)


def missing(shown: list[str], output: str) -> str:
    """
    The first line that is shown and does not come, in its order; C{""} if all do. One line may be shown as several.
    """
    if re.search(pattern("".join(line.strip() for line in shown)), output):
        return ""
    lines = iter(output.splitlines())
    for line in shown:
        wanted = pattern(line)
        if line.strip() not in ("…", "...") and not any(wanted.search(each) for each in lines):
            return line
    return ""
