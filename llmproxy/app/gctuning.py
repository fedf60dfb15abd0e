"""
The garbage collector's settings for serving, and memory of the start given back to the system.

Most pages of libraries that a start touches are not looked at again: they set up OpenSSL, register, relocate. What is
in them is in the file: nothing is lost by releasing them, and nothing is written. One that is used after all is
mapped again from the system's own copy of the file, in a microsecond.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable

from attrs import frozen

_HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+ *(.*)")
"""The first line of what proc(5) tells of a part of the address space; C{Name: value} follow."""


@frozen
class Mapping:
    """
    A file in the address space, or a part of it.

    @ivar start: its first address; C{size} is in bytes.
    """

    start: int
    size: int
    path: str


def unchanged(smaps: Iterable[str]) -> list[Mapping]:
    """
    What can be released without losing anything: of files, in memory, mapped for this process alone, not written to
    since then, and not to be written to.

    @param smaps: the lines of C{/proc/self/smaps}.
    """
    found = []
    at: Mapping | None = None
    for line in smaps:
        head = _HEAD.match(line)
        if head:
            start, end, permissions, path = head.groups()
            clean = permissions in ("r--p", "r-xp") and path.startswith("/")
            at = Mapping(int(start, 16), int(end, 16) - int(start, 16), path) if clean else None
        elif at is not None and _without_pages(line, "Rss:"):
            at = None
        elif at is not None and _without_pages(line, "Anonymous:"):
            found.append(at)
    return found


def _without_pages(line: str, name: str) -> bool:
    return line.startswith(name) and line.split()[1] == "0"


def give_back(smaps: str = "/proc/self/smaps") -> None:
    """
    Release freed memory and of unchanged pages of files.

    For processes that are the proxy's alone, once they serve. On systems that cannot do it, it does nothing.
    """
    try:
        import ctypes

        libc = ctypes.CDLL(None)
        with open(smaps, encoding="utf-8", errors="surrogateescape") as lines:
            mappings = unchanged(lines)
        libc.malloc_trim(0)
        for mapping in mappings:
            libc.madvise(ctypes.c_void_p(mapping.start), ctypes.c_size_t(mapping.size), mmap.MADV_DONTNEED)
    except (ImportError, OSError, AttributeError):
        # Not Linux, not glibc, no /proc: what is held is held.
        return
