"""Cells of CSV (RFC 4180) that no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

_FORMULA = "=+-@\t\r\n＝＋－＠"
"""What a spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection", read on 2026-11-30), the wide
forms of the signs too."""

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
    """The lines of rows, each with its end."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([cell if type(cell) is int else harmless(cell) for cell in row] for row in rows)
    return text.getvalue()
