"""The choice of what reads the usage in an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..usage import Usage
from .awsreader import AwsReader
from .bedrock import EVENT_STREAM
from .imagereader import ImageReader, makes_pictures
from .usagereader import MEDIA_TYPES, UsageReader


class Reader(Protocol):
    """What is fed the bytes of an answer as they come, cut anywhere; see L{UsageReader}."""

    def feed(self, data: bytes) -> None: ...

    def whole(self, content: bytes) -> None: ...

    def is_whole(self) -> bool: ...

    def usage(self) -> Usage: ...

    @property
    def found(self) -> Mapping[str, Any]: ...


def reader_for(media_type: bytes, codings: Sequence[bytes], target: bytes = b"") -> Reader | None:
    """
    @param media_type: without parameters, in lower case.
    @param codings: of the content, in the order in which they were applied, in lower case.
    @param target: what was asked for.
    @return: C{None} where such content cannot be read.
    @raise ProxyError: a coding cannot be undone here.
    """
    if media_type in MEDIA_TYPES:
        if makes_pictures(target):
            return ImageReader(media_type, codings)
        return UsageReader(media_type, codings)
    return AwsReader(codings) if media_type == EVENT_STREAM else None
