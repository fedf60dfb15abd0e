"""Parts of a stored complete response: RFC 9110 sections 13.1.5 and 14."""

from __future__ import annotations

import re
from typing import Literal

from .dates import parse_date
from .directives import RequestDirectives
from .entry import Entry

_SPEC = re.compile(rb"bytes[ \t]*=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE)

Part = tuple[int, int]
"""First byte, and the one behind the last."""

UNSATISFIABLE: Literal["unsatisfiable"] = "unsatisfiable"


def part_of(entry: Entry, asked: RequestDirectives, now: float) -> Part | Literal["unsatisfiable"] | None:
    """
    The part that the client wants, or C{None} for the whole.

    Several ranges, other units and what is no range get the whole, which a server may always answer with.
    """
    if asked.range is None or entry.status != 200:
        return None
    if asked.if_range is not None and not _unchanged(entry, asked.if_range, now):
        return None
    match = _SPEC.fullmatch(asked.range)
    return _resolved(match[1], match[2], entry.size) if match is not None else None


def _resolved(first: bytes, last: bytes, size: int) -> Part | Literal["unsatisfiable"] | None:
    if not first:
        if not last:
            return None
        wanted = min(int(last), size)
        return (size - wanted, size) if wanted else UNSATISFIABLE
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        return UNSATISFIABLE
    return start, min(int(last) + 1, size) if last else size


def _unchanged(entry: Entry, validator: bytes, now: float) -> bool:
    """C{If-Range} compares strongly, and a date exactly (RFC 9110 section 13.1.5)."""
    if validator.startswith((b'"', b"W/")):
        return not validator.startswith(b"W/") and validator == entry.field(b"etag")
    modified, date = entry.field(b"last-modified"), entry.field(b"date")
    if modified is None or modified != validator:
        return False
    at, generated = parse_date(modified, now), parse_date(date or b"", now)
    # Section 8.8.2.2: a date is a strong validator once a second has passed since.
    return at is not None and generated is not None and generated - at >= 1
