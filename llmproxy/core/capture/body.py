"""
The body of a message as an event has it: decoded, read, merged and redacted; or why it is not there.

This is for a thread. However it is made, it takes memory and time in proportion to the bytes that were kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from attrs import frozen

from ...errors import ProxyError, UnsupportedMediaType
from ..codings import Decoder
from ..masking import mask
from ..merging import merged, merged_array
from ..merging.cutjson import TooLong, completed
from ..merging.reading import EVENT_STREAM, NDJSON
from ..redaction.redactor import Redactor
from ..redaction.rules import TooSlow
from .kinds import Kind, is_kept, kind_of

_CUT_WORD = re.compile(r"[\d\s()+./:-]{0,64}\S{0,256}\Z")
"""The end of a text that was cut: a part of a secret, or of a number, is not known by its look."""

_decode = msgspec.json.Decoder().decode
_HALF = re.compile(
    r"(?<!\\)\\u(?:[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u)[dD][c-fC-F][0-9a-fA-F]{2})"
)
"""Half of a character that takes two, alone."""

_LINES = re.compile(r"\}\s*\n\s*\{")
"""Between documents of a line each."""

_EVENTS = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s|:[^\r\n]*[\r\n])*(?:data|event|id|retry):")
"""How a stream of events begins."""

_LONGEST_WORD = 320
_MOST_MEMBERS = 1000


@frozen
class Half:
    """
    What was kept of one message, as bytes of the wire.

    @ivar content: from its beginning.
    @ivar media_type: in lower case, without parameters.
    @ivar codings: in the order in which they were applied, in lower case.
    @ivar is_whole: it ended, and nothing of it is missing in C{content}.
    @ivar size: bytes that it had in all.
    @ivar most: bytes that are kept of it without its codings.
    @ivar omitted: why nothing was kept of it; C{""} where it was.
    """

    content: bytes = b""
    media_type: bytes = b""
    codings: Sequence[bytes] = ()
    is_whole: bool = True
    size: int = 0
    most: int = 0
    omitted: str = ""


class Body(NamedTuple):
    """
    @ivar value: JSON, or a text; C{None} for none.
    @ivar is_truncated: there was more of it.
    @ivar omitted: why there is none, though there was one: C{binary}, C{undecodable}, C{unredactable}, C{too_deep},
        C{redaction_timeout}, with more in parentheses.
    @ivar is_merged: it was a stream.
    """

    value: Any = None
    is_truncated: bool = False
    omitted: str = ""
    is_merged: bool = False


def body_of(half: Half, redactor: Redactor) -> Body:
    """It never fails: what cannot be shown safely is left out, and says why."""
    if half.omitted:
        return Body(omitted=half.omitted)
    kind = kind_of(half.media_type)
    if not half.size:
        return Body()
    if not is_kept(kind):
        return Body(omitted=binary(half.media_type, half.size))
    try:
        return _read(half, kind, redactor)
    except TooSlow:
        return Body(omitted="redaction_timeout")
    except (RecursionError, TooLong):
        return Body(omitted="too_deep")
    except _Unredactable:
        return Body(omitted="unredactable (no JSON for a path to be found in)")


def plain_json(content: bytes, redactor: Redactor) -> Any:
    """
    The object that a body is, whole and without a coding, where nothing but what paths lead to is to be taken out of
    it: what most are, in a third of the time. C{None} for any other.
    """
    try:
        text = content.decode()
        return redactor.without_paths(_decode(text)) if text.startswith("{") and redactor.is_clean(text) else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def binary(media_type: bytes, size: int) -> str:
    """Why a body is left out that is no text."""
    named = media_type[:100].decode("ascii", "replace") or "unknown type"
    return f"{'multipart' if media_type.startswith(b'multipart/') else 'binary'} ({named}, {size} bytes)"


class _Unredactable(Exception):
    """What is to be taken out cannot be found in it."""


def _read(half: Half, kind: Kind, redactor: Redactor) -> Body:
    content, is_whole, wrong = _decoded(half)
    if wrong:
        return Body(omitted=wrong)
    if kind == "stream":
        return _merged(content, half.media_type, is_whole, redactor)
    kind = _guessed(content, kind)
    if not is_kept(kind):
        return Body(omitted=binary(half.media_type, half.size))
    if kind == "stream":
        return _merged(content, EVENT_STREAM, is_whole, redactor)
    text = _text(content).removeprefix("\ufeff")
    if kind == "form":
        return Body(redactor.redacted(_form(text, is_whole)), not is_whole)
    if kind == "json":
        body = _json(text, is_whole, redactor)
        if body is not None:
            return body
        if redactor.needs_structure:
            raise _Unredactable
    return Body(redactor.text(text if is_whole else _without_end(text)), not is_whole)


def _decoded(half: Half) -> tuple[bytes, bool, str]:
    """The content without its codings, whether all of it is there, and what is wrong with it."""
    if not half.codings:
        return half.content, half.is_whole, ""
    pieces, size = [], 0
    try:
        decoder = Decoder(half.codings)
        for piece in decoder.feed(half.content):
            pieces.append(piece[: half.most - size])
            size += len(piece)
            if size > half.most:
                return b"".join(pieces), False, ""
        if half.is_whole:
            decoder.end()
    except UnsupportedMediaType:
        named = b", ".join(half.codings)[:80].decode("latin-1")
        return b"", False, f"undecodable (content coding {mask(named)})"
    except ProxyError:
        # Malformed, cut, or more than should come out of so little.
        if not size:
            return b"", False, "undecodable (broken content coding)"
        return b"".join(pieces), False, ""
    return b"".join(pieces), half.is_whole, ""


def _merged(content: bytes, media_type: bytes, is_whole: bool, redactor: Redactor) -> Body:
    found = merged(content, media_type)
    is_cut = not (is_whole and found.is_whole)
    value = redactor.redacted(found.content, in_pieces=found.kind == "events", is_cut=is_cut)
    return Body(value, is_cut, is_merged=True)


def _guessed(content: bytes, kind: Kind) -> Kind:
    """
    What it is, whatever it says that it is: C{curl -d} calls JSON a form, some servers call events a text, and their
    readers do not mind.
    """
    if b"\0" in content:
        # UTF-16, in which nothing would be found, or none.
        return "binary"
    begun = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if begun.startswith((b"{", b"[", b'"')):
        return "json"
    if kind in ("text", "unknown") and _EVENTS.match(content):
        return "stream"
    if kind != "unknown":
        return kind
    try:
        content[: len(content) - 3].decode()
    except UnicodeDecodeError:
        return "binary"
    return "text"


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.end == len(content):
            # A character that was cut.
            return content[: error.start].decode()
        return content.decode("utf-8", "replace")


def _json(text: str, is_whole: bool, redactor: Redactor) -> Body | None:
    """C{None} where it is none."""
    if text.startswith("[") and '"candidates"' in text:
        found = merged_array(text)
        if found is not None:
            return Body(redactor.redacted(found.content), not (is_whole and found.is_whole), is_merged=True)
    value = _parsed(text)
    if value is not None:
        return Body(redactor.redacted(value[0]), not is_whole)
    if _LINES.search(text):
        return _merged(text.encode(), NDJSON, is_whole, redactor)
    if is_whole and not redactor.needs_structure:
        return None
    cut = completed(text)
    value = None if cut is None else _parsed(cut.text)
    if cut is None or value is None:
        return None
    return Body(redactor.redacted(_without_cut_word(value[0]) if cut.is_text_cut else value[0]), True)


def _parsed(text: str) -> tuple[Any] | None:
    """The JSON that it is; C{None} if it is none."""
    try:
        return (_decode(text),)
    except (msgspec.DecodeError, UnicodeError):
        pass
    if "NaN" in text or "Infinity" in text or "\\ud" in text.lower():
        # Python writes the former, JavaScript halves of characters; both are read by their like.
        try:
            return (json.loads(_HALF.sub("\\\\ufffd", text)),)
        except ValueError:
            pass
    return None


def _without_end(text: str) -> str:
    """A text that was cut, without its last word."""
    return text[:-_LONGEST_WORD] + _CUT_WORD.sub("", text[-_LONGEST_WORD:], count=1)


def _without_cut_word(value: Any) -> Any:
    """The same, changed in place, without the end of its very last text, where it was cut."""
    if isinstance(value, str):
        return _without_end(value)
    holder = value
    while isinstance(holder, (dict, list)) and holder:
        key: Any = next(reversed(holder)) if isinstance(holder, dict) else len(holder) - 1
        last = holder[key]
        if isinstance(last, str):
            holder[key] = _without_end(last)
        holder = last
    return value


def _form(text: str, is_whole: bool) -> dict[str, Any]:
    """Fields by their names; those of the same name in a list."""
    found: dict[str, Any] = {}
    if not is_whole:
        text = text.rpartition("&")[0]
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=None)[:_MOST_MEMBERS]:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found
