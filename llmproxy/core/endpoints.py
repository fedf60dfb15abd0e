"""Endpoints: the paths that a configuration names, and which of them a path of a request belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes

from attrs import frozen


@frozen
class Endpoints:
    """
    An entry stands for its own path and what lies below it: C{/v1/models} for C{/v1/models/x}, not for
    C{/v1/models-evil}. A C{*} stands for anything within one segment, and for something if it is all of it.

    @ivar entries: as they were written.
    """

    entries: tuple[str, ...]
    _plain: Mapping[bytes, str]
    _globs: tuple[tuple[re.Pattern[bytes], str], ...]

    @classmethod
    def compile(cls, entries: Iterable[str]) -> Endpoints:
        entries = tuple(entries)
        plain = {_plainly(entry): entry for entry in entries if "*" not in entry}
        return cls(entries, plain, tuple((_glob(entry), entry) for entry in entries if "*" in entry))

    def find(self, path: bytes) -> str | None:
        """
        The longest plain entry that C{path} belongs to, else the first with a C{*}, else C{None}.

        @param path: as L{settled} has it.
        """
        whole, entry = path, self._plain.get(path)
        while entry is None and path:
            path, _, _ = path.rpartition(b"/")
            entry = self._plain.get(path)
        if entry is None:
            entry = next((entry for expression, entry in self._globs if expression.match(whole)), None)
        return entry


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
    path = entry.rstrip("/").encode()
    return settled(path) or path


_MOST_ENCODINGS = 3
_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_DOTS = re.compile(rb"(?:^|[/\\])\.\.?(?:[/\\;]|\Z)|[\0-\x1f\x7f]")
_STRUCTURE = frozenset(b"/\\%")


def _decoded(escape: re.Match[bytes]) -> bytes:
    byte = int(escape[1], 16)
    return escape[0].upper() if byte in _STRUCTURE else bytes((byte,))


def _glob(entry: str) -> re.Pattern[bytes]:
    segments = [_segment(segment) for segment in entry.rstrip("/").encode().split(b"/")]
    return re.compile(b"/".join(segments) + rb"(?:/|\Z)")


def _segment(segment: bytes) -> bytes:
    within = rb"(?:[^/\\%]|%25)"
    if segment == b"*":
        return within + b"+"
    return (within + b"*").join(re.escape(part) for part in segment.split(b"*"))
