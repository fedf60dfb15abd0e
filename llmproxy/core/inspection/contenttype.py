"""
The media type and the codings of a request body, read by the grammar and not further.

Readers differ in what they make of a C{Content-Type} that is not by the grammar of RFC 9110 section 8.3.1, so it is
refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from attrs import frozen

from ...errors import BadRequest, UnsupportedMediaType
from ...message import Fields
from ..fields import list_members

_LONGEST_REMEMBERED = 64
"""Bytes: most clients say one of a few."""

LONGEST = 1024
"""Bytes of a C{Content-Type}; more is refused before it is looked at."""

UTF8 = frozenset({"", "utf-8", "utf8"})
"""Names of the charset that all bodies are read in; C{""} where none is named."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TYPE = re.compile(rb"(%b/%b)[ \t]*" % (_TOKEN, _TOKEN))
# RFC 9110 section 5.6.6 allows a parameter to be absent. Without a backslash in it, a quoted string is read alike.
_PARAMETER = re.compile(rb';[ \t]*(?:(%b)=(?:(%b)|"([^"\\\x00-\x08\x0a-\x1f\x7f]*)")[ \t]*)?' % (_TOKEN, _TOKEN))
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")


@frozen
class MediaType:
    """
    @ivar essence: type and subtype in lower case; C{""} where there is none.
    @ivar parameters: by names in lower case.
    """

    essence: str = ""
    parameters: tuple[tuple[str, bytes], ...] = ()

    def parameter(self, name: str) -> bytes:
        return next((value for each, value in self.parameters if each == name), b"")

    @property
    def charset(self) -> str:
        """In lower case, C{""} where none is named."""
        return self.parameter("charset").decode("latin-1").lower()

    @property
    def boundary(self) -> bytes:
        """
        RFC 2046 section 5.1.1; nothing else may stand beside it but a charset.

        @raise BadRequest: it is missing, or not by the grammar.
        """
        boundary = self.parameter("boundary")
        if not _BOUNDARY.fullmatch(boundary):
            raise BadRequest("the multipart boundary is missing, longer than 70 characters or malformed")
        if any(name not in ("boundary", "charset") for name, _ in self.parameters):
            raise BadRequest("Content-Type has a parameter that a multipart body has no use for")
        return boundary


def media_type(lines: Sequence[bytes]) -> MediaType:
    """
    @param lines: the values of all C{Content-Type} fields.
    @raise BadRequest: there are several, or a parameter is malformed or stands twice.
    @raise UnsupportedMediaType: it names no type.
    """
    if len(lines) > 1:
        raise BadRequest("Content-Type stands twice in the request")
    line = lines[0] if lines else b""
    if not line:
        return MediaType()
    if len(line) > LONGEST:
        raise BadRequest(f"Content-Type is longer than {LONGEST} bytes")
    return _remembered(line) if len(line) <= _LONGEST_REMEMBERED else _read(line)


def _read(line: bytes) -> MediaType:
    match = _TYPE.match(line)
    if match is None:
        raise UnsupportedMediaType("Content-Type is malformed")
    return MediaType(match[1].decode("ascii").lower(), _parameters(line, match.end()))


_remembered = lru_cache(maxsize=256)(_read)


def _parameters(line: bytes, at: int) -> tuple[tuple[str, bytes], ...]:
    found: dict[str, bytes] = {}
    while at < len(line):
        match = _PARAMETER.match(line, at)
        if match is None:
            raise BadRequest("a parameter of Content-Type is malformed")
        at = match.end()
        if match[1] is not None:
            name = match[1].decode("ascii").lower()
            if name in found or "*" in name:
                raise BadRequest("a parameter of Content-Type stands twice, or in an extended notation")
            found[name] = match[3] if match[2] is None else match[2]
    return tuple(found.items())


def content_codings(fields: Fields) -> tuple[bytes, ...]:
    """
    The codings of a body in the order in which they were applied, in lower case, C{identity} left out.

    RFC 9110 section 5.3: several C{Content-Encoding} lines are one list.
    """
    return tuple(coding for coding in list_members(fields, b"content-encoding") if coding != b"identity")
