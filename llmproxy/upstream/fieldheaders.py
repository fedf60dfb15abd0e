"""Header fields in wire order that are a L{Headers} for everyone else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.web.http_headers import Headers

from ..message import Field


class FieldHeaders(Headers):
    """
    Made of pairs and keeps them as they are; the dictionary of L{Headers} is only made when it is asked for.

    @ivar pairs: the header section in wire order, case and repeats kept.
    """

    __slots__ = ("_pairs", "_view")

    def __init__(self, pairs: Sequence[Field] = ()) -> None:
        self._pairs: Sequence[Field] | None = pairs
        self._view: dict[bytes, list[bytes]] | None = None

    @classmethod
    def of(cls, headers: Headers | Mapping[Any, Any] | None) -> FieldHeaders:
        """From anything that treq takes: a L{Headers}, or a mapping to a value or a list of values."""
        if isinstance(headers, FieldHeaders):
            return headers
        if headers is None:
            return cls()
        if not isinstance(headers, Headers):
            plain: Headers = Headers()
            for name, value in headers.items():
                for each in (value,) if isinstance(value, (bytes, str)) else value:
                    plain.addRawHeader(name, each)
            headers = plain
        return cls([(name, value) for name, values in headers.getAllRawHeaders() for value in values])

    @property
    def pairs(self) -> Sequence[Field]:
        if self._pairs is None:
            self._pairs = [(name, value) for name, values in self._rawHeaders.items() for value in values]
        return self._pairs

    @property
    def _rawHeaders(self) -> dict[bytes, list[bytes]]:  # type: ignore[override]
        view = self._view
        if view is None:
            plain = Headers()
            for name, value in self._pairs or ():
                plain.addRawHeader(name, value)
            view = self._view = plain._rawHeaders
        return view

    def copy(self) -> FieldHeaders:
        return FieldHeaders(list(self.pairs))

    def removeHeader(self, name: Any) -> None:
        super().removeHeader(name)
        self._pairs = None

    def setRawHeaders(self, name: str | bytes, values: Sequence[str | bytes]) -> None:
        super().setRawHeaders(name, values)
        self._pairs = None

    def addRawHeader(self, name: str | bytes, value: str | bytes) -> None:
        super().addRawHeader(name, value)
        self._pairs = None
