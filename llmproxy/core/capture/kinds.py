"""Kinds of bodies by their media type: what is kept of them as text, and what is left out."""

from __future__ import annotations

from typing import Literal

from ..merging import STREAMS

Kind = Literal["json", "stream", "form", "text", "multipart", "binary", "unknown"]

_TEXTS = frozenset(
    {
        b"application/javascript",
        b"application/graphql",
        b"application/sql",
        b"application/toml",
        b"application/x-subrip",
        b"application/x-yaml",
        b"application/xml",
        b"application/yaml",
    }
)
_OTHER_JSON = frozenset({b"application/json", b"text/json", b"application/x-json"})


def kind_of(media_type: bytes) -> Kind:
    """@param media_type: in lower case, without parameters; C{b""} where none is named."""
    if media_type in STREAMS:
        return "stream"
    if media_type in _OTHER_JSON or media_type.endswith(b"+json"):
        return "json"
    if not media_type:
        return "unknown"
    if media_type == b"application/x-www-form-urlencoded":
        return "form"
    if media_type.startswith(b"multipart/"):
        return "multipart"
    if media_type.startswith(b"text/") or media_type in _TEXTS or media_type.endswith(b"+xml"):
        return "text"
    return "binary"


def is_kept(kind: Kind) -> bool:
    """Whether bytes of such a body are copied at all."""
    return kind not in ("binary", "multipart")
