"""Cells of CSV (RFC 4180) that no spreadsheet takes for a formula."""

from __future__ import annotations

import re
from collections.abc import Iterable

_FORMULA = "=+-@\t\r\n＝＋－＠"
"""What a spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection", read on 2026-11-30), the wide
forms of the signs too."""

_QUOTED = re.compile(r'[",\r\n]')

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


def harmless(value: object) -> object:
    """
    A cell: a text that begins as a formula gets a C{'} before it, which spreadsheets do not show. What it says is a
    client's to choose. Numbers stay as they are, also as text.
    """
    if isinstance(value, str) and value[:1] in _FORMULA and value and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return "" if value is None else value


def lines_of(rows: Iterable[Iterable[object]]) -> str:
    """
    The lines of rows, each with its end.

    C{csv} of Python 3.10 writes no NUL, and reads none: one is U+FFFD here.
    """
    return "".join(
        [",".join([str(cell) if type(cell) is int else _written(cell) for cell in row]) + "\r\n" for row in rows]
    )


def _written(cell: object) -> str:
    if cell is None or type(cell) is int:
        return "" if cell is None else str(cell)
    text = str(harmless(cell)).replace("\0", "\ufffd")
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text
