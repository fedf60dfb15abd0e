"""Parts of a stream that was kept, whole or cut: events, lines, an array, or messages of AWS."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from json import JSONDecoder
from typing import Any

import msgspec
from attrs import frozen

EVENT_STREAM, JSON, AWS = b"text/event-stream", b"application/json", b"application/vnd.amazon.eventstream"
NDJSON = b"application/x-ndjson"
LINES = frozenset({NDJSON, b"application/jsonl", b"application/stream+json", b"application/json-seq"})
"""Media types of documents of a line each."""

DONE = "[DONE]"
"""What OpenAI's streams end with."""

_EVENT_END = re.compile(rb"\n\n")
_SPACE = re.compile(r"[\s,\[]*")
_NAMES = (":event-type", ":exception-type")
_PRELUDE, _CHECKSUM = 12, 4
_TEXT_VALUE = 7
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of the values of headers by their type; the others say their length."""


@frozen
class Part:
    """
    @ivar name: of the event, C{""} for none.
    @ivar content: JSON where it is JSON, else text; C{[DONE]} is one.
    """

    name: str
    content: Any


class Cut(Exception):
    """What follows is no whole part."""


def parts(content: bytes, media_type: bytes) -> Iterator[Part]:
    """
    The parts of a stream in their order.

    @raise Cut: behind the last one that is whole, where there is more.
    @raise ValueError: C{media_type} is of no stream.
    """
    if media_type == EVENT_STREAM:
        return _events(content)
    if media_type in LINES:
        return _lines(content)
    if media_type == AWS:
        return _messages(content)
    raise ValueError("not a stream")


def array(text: str) -> Iterator[Part]:
    """
    The elements of an array, one after the other.

    @raise Cut: behind the last one that is whole, where the array is.
    """
    decode, at = JSONDecoder().raw_decode, 0
    while True:
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        if text[at : at + 1] == "]":
            return
        try:
            value, at = decode(text, at)
        except (ValueError, RecursionError):
            raise Cut from None
        yield Part("", value)


def _events(content: bytes) -> Iterator[Part]:
    """HTML section 9.2.6: an event ends with an empty line, and its lines of data are joined."""
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    at = 3 if content.startswith(b"\xef\xbb\xbf") else 0
    for ending in _EVENT_END.finditer(content, at):
        yield from _event(content[at : ending.start()])
        at = ending.end()
    rest = content[at:]
    if not rest.strip():
        return
    # A last event without an empty line behind it: whole, if its data is a document.
    last = list(_event(rest))
    if last and (last[0].content == DONE or not isinstance(last[0].content, str)):
        yield last[0]
    elif last or not rest.startswith(b":"):
        raise Cut


def _event(piece: bytes) -> Iterator[Part]:
    name, data = "", []
    for line in piece.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    if data:
        yield Part(name, _document(b"\n".join(data)))


def _lines(content: bytes) -> Iterator[Part]:
    *whole, rest = content.split(b"\n")
    for line in whole:
        line = line.strip(b"\x1e \t\r")
        if line:
            yield Part("", _document(line))
    rest = rest.strip(b"\x1e \t\r")
    if rest:
        last = _document(rest)
        if isinstance(last, str):
            raise Cut
        yield Part("", last)


def _messages(content: bytes) -> Iterator[Part]:
    """
    Messages of an AWS event stream (smithy.io, "Amazon Event Stream Specification"): length, length of the headers and
    a checksum, headers, payload and another checksum, which are upstream's and the client's concern.
    """
    at = 0
    while at < len(content):
        size, headers = int.from_bytes(content[at : at + 4], "big"), int.from_bytes(content[at + 4 : at + 8], "big")
        end = at + size
        if size < _PRELUDE + headers + _CHECKSUM or end > len(content):
            raise Cut
        payload = at + _PRELUDE + headers
        name = _name(content[at + _PRELUDE : payload])
        yield _invoked(Part(name, _document(content[payload : end - _CHECKSUM])))
        at = end


def _name(headers: bytes) -> str:
    """What a message is called in its headers."""
    at = 0
    while at < len(headers):
        length = headers[at]
        name, at = headers[at + 1 : at + 1 + length], at + 1 + length
        kind = headers[at] if at < len(headers) else 0
        at += 1
        size = _SIZES.get(kind)
        if size is None:
            size, at = int.from_bytes(headers[at : at + 2], "big"), at + 2
        if kind == _TEXT_VALUE and name.decode("latin-1") in _NAMES:
            return headers[at : at + size].decode("utf-8", "replace")
        at += size
    return ""


def _invoked(part: Part) -> Part:
    """What a model said itself, where C{InvokeModelWithResponseStream} has it in base64."""
    content = part.content
    if isinstance(content, dict) and isinstance(content.get("bytes"), str):
        try:
            return Part("", _document(b64decode(content["bytes"], validate=True)))
        except (Base64Error, ValueError):
            return part
    return part


def _document(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data.decode("utf-8", "replace")
