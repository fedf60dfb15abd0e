"""Header fields for treq's interface that keep their order, case and repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.web.http_headers import Headers

if TYPE_CHECKING:
    from ..message import Field


class FieldHeaders(Headers):
    """
    Ordinary L{Headers} to those who use them as such; our own client takes the pairs.

    @ivar pairs: in wire order.
    """

    def __init__(self, pairs: list[Field]) -> None:
        self.pairs = pairs

    @property
    def _rawHeaders(self) -> dict[bytes, list[bytes]]:  # type: ignore[override]
        """What L{Headers} works on, for a stock client; made when it is asked for."""
        made: dict[bytes, list[bytes]] | None = self.__dict__.get("_made")
        if made is None:
            plain = Headers()
            for name, value in self.pairs:
                plain.addRawHeader(name, value)
            made = self.__dict__["_made"] = plain._rawHeaders
        return made

    def copy(self) -> Headers:
        plain = Headers()
        for name, value in self.pairs:
            plain.addRawHeader(name, value)
        return plain
