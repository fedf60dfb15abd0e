"""Method overrides: fields and query parameters by which a request asks to be taken for one of another method."""

from __future__ import annotations

from urllib.parse import parse_qsl

from ..message import Fields
from .notable import OVERRIDE_FIELDS, notable_of
from .targets import QUERY

_PARAMETERS = frozenset({*OVERRIDE_FIELDS, "_method", "_httpmethod", "httpmethod", "$httpmethod", "$httpheaders"})
"""
In lower case. C{_method} is Rails', Laravel's and Symfony's. Google's servers read whole fields from C{$httpHeaders}.
"""


def override(fields: Fields, target: bytes) -> str:
    """The name of the field or the parameter of the query that asks for another method, C{""} if none does."""
    name = notable_of(fields).override
    if name:
        return name.decode("latin-1")
    return _parameter(target) if QUERY in target else ""


def _parameter(target: bytes) -> str:
    query = target.partition(b"?")[2]
    for part in (query, query.replace(b";", b"&")):
        for name, _ in parse_qsl(part.decode("latin-1"), keep_blank_values=True):
            if name.strip().lower() in _PARAMETERS:
                return name
    return ""
