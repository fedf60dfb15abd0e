"""
The wire form of spans: an C{ExportTraceServiceRequest} of OTLP 1.x as Protocol Buffers write it.

The SDK's encoder makes two objects of each attribute: for the two spans of an exchange it takes more than all that the
proxy does for that exchange, and this takes a sixth of it (C{python -m tests.benchmarks.otlp}: 33 us for 200 us). Tests
hold the two together, with the published definitions between them; what is written once a minute is left to the SDK.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from struct import pack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .spans import SpanValue, Value

_KINDS = {"internal": 1, "server": 2, "client": 3}
_SAMPLED, _KNOWN, _REMOTE = 0x1, 0x100, 0x200
"""Flags of a span: of its trace; it is known whether its parent is somebody else's; it is."""

_ERROR = b"\x18\x02"

_SHORT = 64
_MOST_REMEMBERED = 4096

_pairs: dict[tuple[str, str], bytes] = {}
"""Short texts as attributes of spans: nearly all of them come again and again."""

_keys: dict[str, bytes] = {}
"""Names of attributes, as fields; clients can name some of them."""

_UNLIKE = frozenset(
    {"llmproxy.request_id", "llmproxy.event_id", "llmproxy.upstream_request_id", "gen_ai.response.id", "url.path"}
)
"""Names whose values do not come again, as a rule."""


def trace_request(
    spans: Iterable[SpanValue], resource: Mapping[str, Value], scope: tuple[str, str, str], longest: int | None = None
) -> bytes:
    """
    @param resource: what is said of this process.
    @param scope: the name and the version of what made the spans, and the URL of the conventions; C{""} for none.
    @param longest: characters of a text that is an attribute; C{None} for no limit.
    """
    name, version, schema = scope
    made = b"".join(_field(0x12, _span(each, longest)) for each in spans)
    inside = _field(0x0A, _text(0x0A, name) + _text(0x12, version)) + made + _text(0x1A, schema)
    said = b"".join(_attribute(0x0A, key, value) for key, value in resource.items())
    return _field(0x0A, _field(0x0A, said) + _field(0x12, inside))


def _span(span: SpanValue, longest: int | None) -> bytes:
    flags = _SAMPLED | _KNOWN | (_REMOTE if span.remote else 0)
    parts = [
        b"\x0a\x10" + bytes.fromhex(span.trace_id) + b"\x12\x08" + bytes.fromhex(span.span_id),
        _text(0x1A, span.state),
        b"\x22\x08" + bytes.fromhex(span.parent_id) if span.parent_id else b"",
        _text(0x2A, span.name),
        b"\x30%c" % _KINDS[span.kind],
        pack("<BQBQ", 0x39, span.start, 0x41, span.end),
    ]
    for key, value in span.attributes.items():
        if type(value) is str:
            if longest is not None:
                value = value[:longest]
            parts.append(_pairs.get((key, value)) or _of_text(key, value))
        else:
            parts.append(_of_number(key, value))
    if span.error:
        parts.append(_field(0x7A, _text(0x12, span.why) + _ERROR))
    parts.append(b"\x85\x01" + pack("<I", flags))
    return b"".join(parts)


def _of_text(key: str, text: str) -> bytes:
    """An attribute of a span that is a text."""
    name, value = _key(key), text.encode("utf-8", "replace")
    length = len(value)
    if length > _SHORT or len(name) > _SHORT:
        return _field(0x4A, name + _field(0x12, _field(0x0A, value)))
    # Short enough for all of its lengths to be one byte.
    found = b"\x4a%c%b\x12%c\x0a%c%b" % (len(name) + length + 4, name, length + 2, length, value)
    if key not in _UNLIKE:
        if len(_pairs) >= _MOST_REMEMBERED:
            _pairs.clear()
        _pairs[key, text] = found
    return found


def _of_number(key: str, value: Value) -> bytes:
    """An attribute of a span that is no text."""
    name, kind = _key(key), type(value)
    if len(name) <= _SHORT:
        if kind is int and 0 <= value < 128:  # type: ignore[operator]
            return b"\x4a%c%b\x12\x02\x18%c" % (len(name) + 4, name, value)  # type: ignore[str-format]
        if kind is float:
            return b"\x4a%c%b\x12\x09\x21%b" % (len(name) + 11, name, pack("<d", value))
    return _attribute(0x4A, key, value)


def _attribute(tag: int, key: str, value: Value) -> bytes:
    return _field(tag, _key(key) + _field(0x12, _value(value)))


def _key(key: str) -> bytes:
    found = _keys.get(key)
    if found is None:
        if len(_keys) >= _MOST_REMEMBERED:
            _keys.clear()
        found = _keys[key] = _text(0x0A, key)
    return found


def _value(value: Value) -> bytes:
    """An C{AnyValue}."""
    if isinstance(value, str):
        # An empty one is a value too.
        return _field(0x0A, _encoded(value))
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)
    if isinstance(value, float):
        return b"\x21" + pack("<d", value)
    return _field(0x2A, b"".join(_field(0x0A, _value(each)) for each in value))


def _text(tag: int, text: str) -> bytes:
    """A field that is a text; nothing for an empty one."""
    return _field(tag, _encoded(text)) if text else b""


def _encoded(text: str) -> bytes:
    """Half a surrogate pair, which JSON can have, is no UTF-8."""
    return text.encode("utf-8", "replace")


def _field(tag: int, content: bytes) -> bytes:
    """A field with a length."""
    length = len(content)
    if length < 128:
        return b"%c%c%b" % (tag, length, content)
    return b"%c%b%b" % (tag, _varint(length), content)


def _varint(number: int) -> bytes:
    if number < 128:
        return b"%c" % number
    found = bytearray()
    while number >= 128:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
