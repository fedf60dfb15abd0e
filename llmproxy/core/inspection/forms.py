"""Readers of C{application/x-www-form-urlencoded} bodies, and of query strings, which have the same notation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from ...errors import BadRequest
from ..models import LONGEST, named
from .charset import check_utf8
from .steps import Steps
from .whitelist import LONGEST_VALUE, SHOWN, Fields, ParamRule, Whitelist

MOST_FIELDS = 1000
"""Of a form; servers take as many, and more are refused."""

LONGEST_NAME = 1024
"""Bytes of a name, as it is spelled."""

# What no encoder leaves as it is may be JSON, or the text of another charset, sent under this type.
_NAME = re.compile(rb"(?:[0-9A-Za-z*._~!$'()+,/:?@\[\]-]|%%[0-9A-Fa-f]{2}){1,%d}" % LONGEST_NAME)
_OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]{0,1024}[\[{]")
_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_FIELDS_A_SLICE = 100


def inspection(body: bytes, whitelist: Whitelist) -> Steps[str]:
    """
    Check the fields of a form.

    @return: the C{model}; C{""} for none.
    @raise ParamNotAllowed: a value matches no pattern.
    @raise BadRequest: it could be read in another way, or has too many fields.
    """
    if _OBJECT.match(body):
        raise BadRequest("the body begins like JSON, and its Content-Type says it is a form: send application/json")
    if body.count(b"&") >= MOST_FIELDS:
        raise BadRequest(f"the form has more than {MOST_FIELDS} fields")
    if b";" in body:
        raise BadRequest("the form holds a ';', at which some servers part fields: write %3B")
    yield from check_utf8(body)
    fields = Fields(whitelist)
    model = ""
    at = count = 0
    while at <= len(body):
        end = body.find(b"&", at)
        end = len(body) if end < 0 else end
        model = _field(body, at, end, fields) or model
        at = end + 1
        count += 1
        if count % _FIELDS_A_SLICE == 0:
            yield
    return model


def _field(body: bytes, at: int, end: int, fields: Fields) -> str:
    match = _NAME.match(body, at, end)
    if match is None or body[match.end() : match.end() + 1] != b"=":
        raise BadRequest(f"a name in the form is over {LONGEST_NAME} bytes, not percent-encoded or without a value")
    name = _decoded(match[0])
    if name == "_charset_":
        raise BadRequest("the form names a charset in a field, which only some servers read it in")
    for rule in fields.rules(name):
        _check(rule, body[match.end() + 1 : end])
    if name != "model" or end - match.end() > 3 * LONGEST:
        return ""
    return named(unquote_to_bytes(body[match.end() + 1 : end]).decode("utf-8", "replace"))


def inspect_query(query: bytes, whitelist: Whitelist) -> None:
    """
    Check the parameters in a query string, which the server has bounded; others than those of the whitelist may be
    written in any way.
    """
    for pairs in _readings(query):
        fields = Fields(whitelist)
        for pair in pairs:
            if not pair:
                continue
            name, _, value = pair.partition(b"=")
            for rule in fields.rules(unquote_to_bytes(name.replace(b"+", b" ")).decode("utf-8", "replace")):
                _check(rule, value)


def _readings(query: bytes) -> Iterator[list[bytes]]:
    """As servers part it today; and as older ones do, at C{;} too."""
    yield query.split(b"&")
    if b";" in query:
        yield re.split(b"[&;]", query)


def _check(rule: ParamRule, value: bytes) -> None:
    if rule.anything:
        return
    # Each character can be four bytes, each of them percent-encoded.
    if len(value) > 12 * LONGEST_VALUE:
        raise rule.refusal(value[: SHOWN + 1].decode("latin-1"))
    if _MALFORMED.search(value):
        raise BadRequest(f"the value of '{rule.shown}' holds a malformed percent-encoding")
    rule.check(_decoded(value))


def _decoded(text: bytes) -> str:
    try:
        return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("a name or value is not UTF-8") from None
