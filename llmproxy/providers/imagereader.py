"""A reader of answers that hold pictures, which counts them too."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from attrs import evolve

from ..usage import Usage
from .usagereader import EVENT_STREAM, UsageReader

_PICTURE = re.compile(rb'(?<!\\)"(b64_json|url|bytesBase64Encoded)"\s{0,8}:\s{0,8}"')
_COMPLETED = re.compile(rb'(?<!\\)"type"\s{0,8}:\s{0,8}"(image_(?:generation|edit)\.completed)"')

_LONGEST = 64
"""Bytes that none of these is as long as, with the one before it."""


def makes_pictures(target: bytes) -> bool:
    """Whether the answer is one of OpenAI's images API, or of Google's Imagen."""
    return b"/images/" in target or b":predict" in target


class ImageReader(UsageReader):
    """
    See L{UsageReader}. Pictures are counted as they pass, whatever their size: each has its content or its address,
    whichever there are more of; in a stream of events, which has unfinished ones too, each has an event of its own.
    """

    __slots__ = ("_counts", "_end", "_pattern")

    def __init__(self, media_type: bytes, codings: Sequence[bytes] = ()) -> None:
        super().__init__(media_type, codings)
        self._counts: Counter[bytes] = Counter()
        self._end = b""
        self._pattern = _COMPLETED if media_type == EVENT_STREAM else _PICTURE

    def whole(self, content: bytes) -> None:
        """All of a body; the same as C{feed}."""
        self.feed(content)

    def direct(self) -> Callable[[bytes], object]:
        return self.feed

    def _read(self, data: bytes) -> None:
        before, data = len(self._end), self._end + data
        self._counts.update(found[1] for found in self._pattern.finditer(data) if found.end() > before)
        self._end = data[-_LONGEST:]
        super()._read(data[before:])

    def usage(self) -> Usage:
        """What the answer has said until now, with the pictures that are in it."""
        return evolve(super().usage(), images=max(self._counts.values(), default=None))
