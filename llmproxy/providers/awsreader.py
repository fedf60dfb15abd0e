"""A reader of the usage in an AWS event stream, as Bedrock answers with: see L{llmproxy.providers.usagereader}."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ..core.awsevents import AwsEvents, MessageError
from ..core.codings import Decoder
from ..errors import UnsupportedMediaType
from ..usage import Usage
from .bedrock import METRICS
from .usagereader import LONGEST_EVENT, UsageReader

_LAST = (METRICS.encode("ascii"), b'"metrics"')
"""Stands in the last event, of InvokeModel and of Converse."""


class _Chunk(msgspec.Struct):
    """An event of InvokeModel, which has the model's own in base64."""

    bytes: str = ""


class AwsReader:
    """
    @param codings: of the content, as of a L{UsageReader}.
    @raise ProxyError: a coding cannot be undone here.
    """

    __slots__ = ("_decoder", "_documents", "_events", "_is_whole")

    def __init__(self, codings: Sequence[bytes] = ()) -> None:
        self._decoder = Decoder(codings) if codings else None
        self._documents = UsageReader(b"application/json")
        self._events = AwsEvents(LONGEST_EVENT, self._event)
        self._is_whole = False

    def feed(self, data: bytes) -> None:
        """
        @raise ProxyError: what is in a coding cannot be read, or is no event stream.
        """
        try:
            for piece in (data,) if self._decoder is None else self._decoder.feed(data):
                self._events.feed(piece)
        except MessageError as error:
            raise UnsupportedMediaType("the event stream of upstream cannot be read") from error

    def direct(self) -> Callable[[bytes], object]:
        """See L{UsageReader.direct}."""
        return self.feed

    def whole(self, content: bytes) -> None:
        """All of a body; the same as L{feed}."""
        self.feed(content)

    def is_whole(self) -> bool:
        """Whether the last event has been seen."""
        return self._is_whole

    def usage(self) -> Usage:
        """What the answer has said until now."""
        return self._documents.usage()

    @property
    def found(self) -> Mapping[str, Any]:
        """See L{UsageReader.found}."""
        return self._documents.found

    def _event(self, payload: bytes) -> None:
        try:
            inner = b64decode(msgspec.json.decode(payload, type=_Chunk).bytes)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
            return
        document = inner or payload
        self._is_whole = any(mark in document for mark in _LAST)
        self._documents.whole(document)
