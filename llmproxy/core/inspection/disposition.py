"""
The heads of the parts of a form, RFC 7578, by the grammar and not further.

Servers differ in what they make of a head that is not by the grammar: which of two names counts, where a quoted string
ends, whether an encoding is undone. So each parameter stands once, in a notation that all of them read alike, and
nothing is left over.
"""

from __future__ import annotations

import re

from attrs import frozen

from ...errors import BadRequest

LONGEST_HEAD = 8 * 1024
"""Bytes of the head of a part."""

LONGEST_NAME = 256
"""Characters of a name."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Neither a control character nor, inside of quotes, a quote: a backslash before one is read in two ways.
_QUOTED = rb'"((?:[^"\\\x00-\x1f\x7f]|\\(?!"))*)"'
_LINE = re.compile(rb"(%b):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)" % _TOKEN)
_PARAMETER = re.compile(rb";[ \t]*([a-z]+\*?)=(?:%b|(%b))[ \t]*" % (_QUOTED, _TOKEN))
_EXTENDED = re.compile(rb"(?i:utf-8)'[A-Za-z0-9-]*'(?:[!#$&+.^_`|~0-9A-Za-z-]|%[0-9A-Fa-f]{2})+")
_PLAIN_TYPE = re.compile(rb"text/plain(?:;[ \t]*charset=\"?utf-8\"?)?", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,15}")
_IDENTITY = frozenset({b"7bit", b"8bit", b"binary"})
_KNOWN = (b"content-disposition", b"content-type", b"content-transfer-encoding", b"content-length")


@frozen
class PartHead:
    """
    @ivar name: of the field.
    @ivar filename: C{None} for a field that is no file.
    @ivar media_type: as it was sent, C{b""} where there was none.
    @ivar extended: the file name is given in the extended notation too.
    @ivar length: bytes of the content, where the head says so.
    """

    name: str
    filename: str | None = None
    media_type: bytes = b""
    extended: bool = False
    length: int | None = None

    @property
    def plain(self) -> bool:
        """Whether every server reads it as a field of text in UTF-8: none takes it for a file or another charset."""
        return self.filename is None and (not self.media_type or _PLAIN_TYPE.fullmatch(self.media_type) is not None)


def part_head(head: bytes) -> PartHead:
    """
    @param head: the lines without the blank one.
    @raise BadRequest: it is not by the grammar.
    """
    lines = _lines(head)
    disposition = lines.get(b"content-disposition")
    if disposition is None:
        raise BadRequest("a part of the multipart body has no Content-Disposition")
    if lines.get(b"content-transfer-encoding", b"binary").lower() not in _IDENTITY:
        raise BadRequest("a part of the multipart body is encoded")
    media_type = lines.get(b"content-type", b"")
    if media_type.lower().startswith(b"multipart/"):
        raise BadRequest("a part of the multipart body is multipart itself")
    length = lines.get(b"content-length")
    if length is not None and not _LENGTH.fullmatch(length):
        raise BadRequest("the Content-Length of a part is malformed")
    given = _parameters(disposition)
    return PartHead(
        _name(given),
        _text(given["filename"]) if "filename" in given else None,
        media_type,
        "filename*" in given,
        None if length is None else int(length),
    )


def _lines(head: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n"):
        match = _LINE.fullmatch(line)
        if match is None:
            raise BadRequest("a field in the head of a part is malformed")
        name = match[1].lower()
        # RFC 7578 section 4.8 knows no others; one that changes how the content is read must not be passed over.
        if name in found or (name.startswith(b"content-") and name not in _KNOWN):
            raise BadRequest(f"a part of the multipart body has {name[:40].decode('ascii')} twice, or must not have it")
        found[name] = match[2].rstrip(b" \t")
    return found


def _parameters(disposition: bytes) -> dict[str, bytes]:
    """RFC 7578 section 4.2: C{name} once, C{filename} at most once; C{filename*} only beside it."""
    kind, semicolon, _ = disposition.partition(b";")
    if kind.rstrip(b" \t") != b"form-data" or not semicolon:
        raise BadRequest("the Content-Disposition of a part is not form-data with a name")
    found: dict[str, bytes] = {}
    at = len(kind)
    while at < len(disposition):
        match = _PARAMETER.match(disposition, at)
        if match is None:
            raise BadRequest("the Content-Disposition of a part is malformed")
        name = match[1].decode("ascii")
        if name in found or name not in ("name", "filename", "filename*"):
            raise BadRequest("the Content-Disposition of a part has a parameter twice, or one that is not known")
        found[name] = match[3] if match[2] is None else match[2]
        at = match.end()
    if "filename*" in found and not ("filename" in found and _EXTENDED.fullmatch(found["filename*"])):
        raise BadRequest("filename* is malformed, or stands without a filename")
    return found


def _name(given: dict[str, bytes]) -> str:
    name = _text(given.get("name", b""))
    # Django takes off white space.
    if not name or len(name) > LONGEST_NAME or name != name.strip() or any(mark in name for mark in ("\\", ";", "=?")):
        raise BadRequest("the name of a part is missing, too long, or could be read in two ways")
    return name


def _text(value: bytes) -> str:
    if b";" in value and b"=" in value:
        raise BadRequest("a file name could be read as a parameter of its own")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("the name of a part is not UTF-8") from None
