"""The end of a file of the audit log, and the file's identity."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..core.audit.chain import linked_of_line

if TYPE_CHECKING:
    from ..core.audit.chain import Linked

_TAIL = 256 * 1024
"""Bytes that the longest line is far below."""


def tail_of(fd: int, size: int) -> bytes:
    return os.pread(fd, min(size, _TAIL), max(0, size - _TAIL))


def last_link(tail: bytes) -> tuple[Linked | None, bytes]:
    """The last record, and what stands behind the last end of a line."""
    *lines, torn = tail.split(b"\n")
    for line in reversed(lines):
        try:
            return linked_of_line(line), torn
        except ValueError:
            continue
    return None, torn


def last_of(path: str) -> Linked | None:
    try:
        with open(path, "rb") as file:
            return last_link(tail_of(file.fileno(), os.fstat(file.fileno()).st_size))[0]
    except FileNotFoundError:
        return None


def file_number(path: str) -> int:
    """What the first record of a file says that its number is; 1 if it says nothing."""
    try:
        with open(path, "rb") as file:
            number: Any = linked_of_line(file.readline(_TAIL).rstrip(b"\n")).record.details.get("file")
    except (OSError, ValueError):
        return 1
    return number if isinstance(number, int) else 1
