"""Method overrides: fields and query parameters by which a request asks to be taken for one of another method."""

from __future__ import annotations

from itertools import product
from urllib.parse import parse_qsl

from ..message import Fields
from .fields import LOWER
from .targets import QUERY

_FIELDS = ("x-http-method-override", "x-http-method", "x-method-override", "x-original-method", "x-forwarded-method")
_PARAMETERS = frozenset({*_FIELDS, "_method", "_httpmethod", "httpmethod", "$httpmethod", "$httpheaders"})
"""
In lower case. The fields are those of OData, Google, ASP.NET and the usual middlewares; C{_method} is Rails', Laravel's
and Symfony's. Google's servers read whole fields from C{$httpHeaders}.
"""


def _spellings(name: str) -> list[bytes]:
    """A field as servers know it that make variables of names (RFC 3875 section 4.1.18): C{_} is C{-} to them."""
    words = name.encode().split(b"-")
    return [
        b"".join(word + mark for word, mark in zip(words, (*marks, b""), strict=True))
        for marks in product((b"-", b"_"), repeat=len(words) - 1)
    ]


_NAMES = frozenset(spelling for name in _FIELDS for spelling in _spellings(name))


def override(fields: Fields, target: bytes) -> str:
    """The name of the field or the parameter of the query that asks for another method, C{""} if none does."""
    lower = LOWER
    for name, _ in fields:
        if lower[name] in _NAMES:
            return name.decode("latin-1")
    return _parameter(target) if QUERY in target else ""


def _parameter(target: bytes) -> str:
    query = target.partition(b"?")[2]
    for part in (query, query.replace(b";", b"&")):
        for name, _ in parse_qsl(part.decode("latin-1"), keep_blank_values=True):
            if name.strip().lower() in _PARAMETERS:
                return name
    return ""
