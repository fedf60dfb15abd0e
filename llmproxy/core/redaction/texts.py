"""
Texts cut where no pattern and no secret could reach across.

A search in one call lets no other thread run: a long text is searched piece by piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

PIECE = 8 * 1024
"""Characters that are searched at once: about a millisecond."""

_AFTER = re.compile(r"(?<=[a-z.,;:!?\"')\]}])(?<!bearer)(?<!basic)[\s,;](?=[^\W\d_]|[\"'({\[])", re.IGNORECASE)
"""Between two words, of which neither is a number; behind C{Bearer} and C{Basic} a secret follows."""

_ANYWHERE = re.compile(r"[\s\"]")

_BASE64 = re.compile(r"[A-Za-z0-9+/_=\r\n-]+")
LEAST_DATA = 1024
"""Characters without a space that are data, and no text of anybody."""

_DATA_URL = re.compile(r"data:([\w.+/-]{1,100})(?:;[\w=.-]{1,40}){0,4};base64,")


def pieces(text: str) -> Iterator[str]:
    """The same in pieces of some L{PIECE} characters, in their order."""
    at = 0
    while len(text) - at > 2 * PIECE:
        found = _AFTER.search(text, at + PIECE, at + 2 * PIECE) or _ANYWHERE.search(text, at + PIECE, at + 2 * PIECE)
        end = found.start() if found else at + 2 * PIECE
        yield text[at:end]
        at = end
    yield text[at:]


def data_in(text: str) -> str | None:
    """What to say in place of a text that is data, as pictures and sound are in JSON; C{None} for any other."""
    if len(text) < LEAST_DATA:
        return None
    url = _DATA_URL.match(text)
    if url is not None:
        return f"[{url[1]}, {(len(text) - url.end()) * 3 // 4} bytes, left out]"
    if _BASE64.fullmatch(text, 0, LEAST_DATA) and _BASE64.fullmatch(text):
        return f"[base64, {len(text) * 3 // 4} bytes, left out]"
    return None
