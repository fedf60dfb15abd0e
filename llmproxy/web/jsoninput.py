"""The input of a JSON API: query, content and body, read and checked."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from ..core.limits.stated import AMOUNT, DURATION
from ..errors import BadRequest, ContentTooLarge, UnsupportedMediaType
from .operations import Operation

if TYPE_CHECKING:
    from twisted.web.server import Request

_MAX_PARAMETERS = 64
_MAX_DIGITS = 40
"""Of an integer: more than any limit, so that the refusal of one that is too large names the limit."""


def query_of(uri: bytes, wanted: type[msgspec.Struct]) -> msgspec.Struct:
    """
    The parameters of a request, each given once at most.

    @raise BadRequest: they are not what is wanted.
    """
    try:
        text = uri.partition(b"?")[2].decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise BadRequest("expected parameters in UTF-8", message="invalid query") from None
    known = {each.encode_name for each in msgspec.structs.fields(wanted)}
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in known or name in values:
            words = "is given twice" if name in known else "is not known here"
            raise BadRequest(f"the parameter {name[:64]!r} {words}", message="invalid query")
        if "\0" in value:
            # PostgreSQL refuses it, and nothing is named so.
            raise BadRequest(f"the parameter {name!r} holds a NUL", message="invalid query")
        values[name] = value
    try:
        given = {name: value for name, value in values.items() if value}
        query: msgspec.Struct = msgspec.convert(given, wanted, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error), message="invalid query") from None
    return query


def content_of(request: Request, operation: Operation, max_body: int) -> tuple[bytes, Any]:
    """
    The bytes of a request's content, and the value that they encode.

    @raise ContentTooLarge: more than C{max_body} bytes.
    @raise UnsupportedMediaType: its Content-Type is not JSON.
    @raise BadRequest: it is not what the operation wants.
    """
    wanted = operation.body
    if wanted is None:
        return b"", None
    content: bytes = request.content.read(max_body + 1) if request.content is not None else b""
    if not content and operation.may_be_empty:
        return b"", wanted()
    _require_json(request.getHeader(b"content-type"))
    if len(content) > max_body:
        raise too_large(max_body)
    try:
        return content, msgspec.convert(value_of(content), wanted)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadRequest(_words(error), message="invalid request body") from None


def too_large(max_body: int) -> ContentTooLarge:
    return ContentTooLarge(f"at most {max_body} bytes are accepted")


def value_of(content: bytes) -> Any:
    """
    The value of a JSON text, its numbers C{int} wherever they are whole: JSON knows one kind of number, and C{1.0} is
    an integer to JSON Schema.

    @raise ValueError: it is no JSON (RFC 8259), or an object names a member twice, which readers take differently.
    """
    msgspec.json.decode(content)  # stricter than json: no NaN, no lone surrogates, nothing but UTF-8
    return json.loads(content, object_pairs_hook=_members, parse_int=_integer, parse_float=_number)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the member {twice[:64]!r} stands twice in one object")
    return members


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("an integer is out of range")
    return int(text)


def _number(text: str) -> int | float:
    try:
        number = Decimal(text)
    except InvalidOperation:
        # An exponent beyond all that a Decimal can have.
        return float(text)
    whole = number.adjusted() < _MAX_DIGITS and number == number.to_integral_value()
    return int(number) if whole else float(text)


def _require_json(content_type: Any) -> None:
    # A client without a Content-Type is accepted, as by the reference. A page in a browser always sends one.
    if content_type is None:
        return
    text = content_type if isinstance(content_type, str) else content_type.decode("latin-1")
    kind, _, parameters = text.lower().partition(";")
    kind = kind.strip()
    if not (kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))):
        raise UnsupportedMediaType("expected application/json")
    charset = parameters.strip().replace(" ", "").replace('"', "")
    if charset.startswith("charset=") and charset != "charset=utf-8":
        raise UnsupportedMediaType("expected UTF-8")


_IN_WORDS = {
    AMOUNT: 'an amount of USD as a text, such as "50" or "0.25"',
    DURATION: "a duration such as 1h, 1d, 7d, 1mo, or total",
}
"""What patterns mean that people would have to read otherwise."""


def _words(error: Exception) -> str:
    # msgspec names the place and the expected type, never the value.
    said = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    for pattern, words in _IN_WORDS.items():
        said = said.replace(f"`str` matching regex {pattern!r}", words)
    return said
