"""The ids by which clients find their requests again."""

from __future__ import annotations

from ..message import Fields
from .masking import mask

MAX_ID = 128
"""Longer ids of clients are replaced, not cut: a cut one would match neither side's logs."""


def good_id(value: bytes) -> str:
    """
    The id that a client sent, without what looks like a secret, since it ends up in logs; C{""} for one that is too
    long or holds more than visible ASCII.
    """
    text = value.decode("latin-1")
    if not 0 < len(text) <= MAX_ID or not text.isascii() or not text.isprintable() or " " in text:
        return ""
    return mask(text)


def correlation_id_of(fields: Fields) -> str:
    """C{X-Correlation-ID}, C{""} if there is none that is good."""
    for name, value in fields:
        if len(name) == 16 and name.lower() == b"x-correlation-id":
            return good_id(value)
    return ""
