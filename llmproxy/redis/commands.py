"""Commands as Redis reads them."""

from __future__ import annotations

from ..core.caching.content import Content, Pieces


def command(*parts: Content) -> bytes:
    """A command in RESP, an array of bulk strings: the bytes as they are, no quoting, no base64, copied once."""
    wire = [b"*%d\r\n" % len(parts)]
    for part in parts:
        wire += (b"$%d\r\n" % len(part), *(part.pieces if isinstance(part, Pieces) else (part,)), b"\r\n")
    return b"".join(wire)
