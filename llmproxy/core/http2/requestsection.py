"""The head of a request to upstream as a field section of HTTP/2: RFC 9113 section 8.3.1."""

from __future__ import annotations

from ...message import Field, Fields
from ..fields import LOWER
from .sections import OF_CONNECTIONS

_OURS = OF_CONNECTIONS | {b"host", b"te"}
_TRAILERS = b"trailers"


def request_section(
    method: bytes, authority: bytes, target: bytes, fields: Fields, length: int | None = None
) -> list[Field]:
    """
    Fields in their order, with names in lower case; C{Host} becomes C{:authority}, and what belongs to a connection of
    HTTP/1.1 has no place, but for C{TE: trailers}.

    @param authority: for who said no C{Host}.
    @param length: of the content, for C{Content-Length} where the fields have none; C{None} says nothing.
    """
    section: list[Field] = []
    lower = LOWER
    for name, value in fields:
        lowered = lower[name]
        if lowered not in _OURS:
            section.append((lowered, value))
            if lowered == b"content-length":
                length = None
        elif lowered == b"host":
            authority = value
        elif lowered == b"te" and value.strip().lower() == _TRAILERS:
            section.append((lowered, _TRAILERS))
    if length is not None:
        section.append((b"content-length", b"%d" % length))
    section[:0] = [(b":method", method), (b":scheme", b"https"), (b":authority", authority), (b":path", target)]
    return section
