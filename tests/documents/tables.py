"""Tables of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_ANGLES = re.compile(r"<([A-Za-z_-]+)>")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """One, with whatever its cells hold as text."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("|" + "|".join(f" {cell} ".replace("  ", " ") for cell in line) + "|" for line in lines) + "\n"


def cell(text: str) -> str:
    """A sentence of the code as the text of a cell: nothing in it is markup."""
    text = _ANGLES.sub(r"`<\1>`", " ".join(text.split()))
    return re.sub(r"([*|\[\]])", r"\\\1", text)


def code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")
