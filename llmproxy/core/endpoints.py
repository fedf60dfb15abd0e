"""Endpoints: the paths that a configuration names, and which of them a path of a request belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote_to_bytes

from attrs import frozen

from .targets import merged

_Glob = tuple[tuple[bytes, ...], ...]
"""By segments: the texts between the stars of each."""


@frozen
class Endpoints:
    """
    An entry stands for its own path and what lies below it: C{/v1/models} for C{/v1/models/x}, not for
    C{/v1/models-evil}. A C{*} stands for anything within one segment, and for something if it is all of it.

    @ivar entries: as they were written.
    """

    entries: tuple[str, ...]
    _plain: Mapping[bytes, str]
    _deepest: int
    _longest: int
    _globs: tuple[tuple[_Glob, str], ...]

    @classmethod
    def compile(cls, entries: Iterable[str]) -> Endpoints:
        entries = tuple(entries)
        plain = {_plainly(entry): entry for entry in entries if "*" not in entry}
        deepest = max((path.count(b"/") for path in plain), default=0)
        globs = tuple((_glob(entry), entry) for entry in entries if "*" in entry)
        return cls(entries, plain, deepest, max((len(glob) for glob, _ in globs), default=0), globs)

    def find(self, path: bytes) -> str | None:
        """
        The longest plain entry that C{path} belongs to, else the first with a C{*}, else C{None}.

        @param path: as L{settled} has it.
        """
        entry = self._plain.get(path)
        if entry is None and self._plain:
            entry = self._above(path)
        if entry is None and self._globs:
            parts = path.split(b"/", self._longest)
            entry = next((entry for glob, entry in self._globs if _matches(glob, parts)), None)
        return entry

    def names(self, path: bytes) -> bool:
        """Whether C{path} belongs to a plain entry that is more than C{/}, which every path belongs to."""
        entry = self._plain.get(path) or self._above(path)
        return entry is not None and _plainly(entry) != b""

    def _above(self, path: bytes) -> str | None:
        # A path can have thousands of segments, entries have a few.
        parts = path.split(b"/", self._deepest + 1)[: self._deepest + 1]
        for length in range(len(parts), 0, -1):
            entry = self._plain.get(b"/".join(parts[:length]))
            if entry is not None:
                return entry
        return None


def settled(path: bytes) -> bytes | None:
    """
    A path as it is compared: percent-encoding undone, but for what would change its structure.

    RFC 3986 sections 2.4 and 6.2.2. An encoded slash stays encoded, so that it parts no segments and no C{*}
    stands for it; C{None} for what upstream could take for another path than we do: dot segments, however
    encoded, with backslashes or C{;} parameters, malformed or repeated encodings.
    """
    if _MALFORMED.search(path):
        return None
    deepest = path
    for _ in range(_MOST_ENCODINGS):
        if b"%" not in deepest:
            break
        deepest = unquote_to_bytes(deepest)
    else:
        if _ENCODED.search(deepest):
            return None
    if _DOTS.search(deepest):
        return None
    return _ENCODED.sub(_decoded, path)


def _plainly(entry: str) -> bytes:
    path = merged(entry.encode()).rstrip(b"/")
    return settled(path) or path


_MOST_ENCODINGS = 3
_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_DOTS = re.compile(rb"(?:^|[/\\])\.\.?(?:[/\\;]|\Z)|[\0-\x1f\x7f]")
_STRUCTURE = frozenset(b"/\\%")


def _decoded(escape: re.Match[bytes]) -> bytes:
    byte = int(escape[1], 16)
    return escape[0].upper() if byte in _STRUCTURE else bytes((byte,))


def _glob(entry: str) -> _Glob:
    segments = _one_byte(merged(entry.encode()).rstrip(b"/")).split(b"/")
    return tuple(tuple(segment.split(b"*")) for segment in segments)


def _matches(glob: _Glob, parts: Sequence[bytes]) -> bool:
    """
    @param parts: the segments of a path, the last of which may be several.
    """
    return len(glob) <= len(parts) and all(map(_fits, glob, parts))


def _fits(texts: Sequence[bytes], segment: bytes) -> bool:
    """
    Whether a segment is these texts in order, with anything between them.

    Each text is taken where it first stands, and nothing is tried again: what a C{*} may not stand for, no later place
    would cover either. So the time is linear, whatever a caller sends (a regular expression of three C{*} takes ten
    seconds for 1,500 dashes).
    """
    segment = _one_byte(segment)
    first, last = texts[0], texts[-1]
    if len(texts) == 1:
        return segment == first
    at, end = len(first), len(segment) - len(last)
    if at > end or not segment.startswith(first) or not segment.endswith(last):
        return False
    for text in texts[1:-1]:
        found = segment.find(text, at, end)
        if found < 0 or not _free(segment[at:found]):
            return False
        at = found + len(text)
    return _free(segment[at:end]) and segment != b""


def _one_byte(text: bytes) -> bytes:
    """An encoded C{%} stands for itself, as one byte that no path has; other encodings are of what parts segments."""
    return text.replace(b"%25", b"\x01")


def _free(text: bytes) -> bool:
    """Whether a C{*} may stand for it."""
    return b"%" not in text and b"\\" not in text
