"""Files of usage: reports and single records as CSV and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

from ..core.csvcells import lines_of
from ..core.reports import SUMS
from ..management.usageanswers import RECORD, cell, columns_of
from .output import printable


def write_report(file: IO[str], report: Mapping[str, Any], by: str) -> None:
    """A line for each row, the first one with the names of the columns."""
    columns = (*columns_of(by.split(",") if by else ()), *SUMS)
    file.write(lines_of([columns]))
    file.write(lines_of(_cells(report["data"], columns, file.isatty())))


def write_records(file: IO[str], records: Sequence[Mapping[str, Any]], form: str, first: bool) -> None:
    """
    @param form: C{jsonl} or C{csv}; of the latter, C{first} writes the names of the columns too.
    """
    if form == "jsonl":
        file.writelines(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n" for record in records)
        return
    if first:
        file.write(lines_of([RECORD]))
    file.write(lines_of(_cells(records, RECORD, file.isatty())))


def _cells(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], seen: bool) -> Iterator[list[Any]]:
    """
    @param seen: in a terminal, which no cell drives.
    """
    for row in rows:
        cells = [cell(row.get(name)) for name in columns]
        yield [printable(each) if seen and isinstance(each, str) else each for each in cells]
