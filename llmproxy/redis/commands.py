"""Commands as Redis reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Pieces(Protocol):
    """Bytes in pieces: what is large need not be joined before it is sent."""

    @property
    def pieces(self) -> Sequence[bytes]: ...

    def __len__(self) -> int: ...


Part = bytes | Pieces
"""A word of a command."""


def command(*parts: Part) -> bytes:
    """A command in RESP, an array of bulk strings: the bytes as they are, no quoting, no base64, copied once."""
    wire = [b"*%d\r\n" % len(parts)]
    for part in parts:
        wire += (b"$%d\r\n" % len(part), *((part,) if isinstance(part, bytes) else part.pieces), b"\r\n")
    return b"".join(wire)
