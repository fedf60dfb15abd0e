"""Method overrides: what in a request, its query or a form asks to be taken for one of another method."""

from __future__ import annotations

from urllib.parse import parse_qsl

from ..errors import MethodNotAllowed
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
            if is_override(name):
                return name
    return ""


def is_override(name: str) -> bool:
    """
    Whether a parameter of a query, or a field of a form, asks for another method.

    PHP writes C{_} for blanks and dots in names, and takes C{_method[]} for C{_method}; what is written in C ends a
    name at NUL.
    """
    name = name.partition("\0")[0].partition("[")[0].strip().casefold()
    return name in _PARAMETERS or name.translate(_UNDERSCORES) in _PARAMETERS


_UNDERSCORES = str.maketrans(" .", "__")


def other_method(methods: tuple[bytes, ...], name: str) -> MethodNotAllowed:
    """
    The refusal of an override.

    @param methods: those that are allowed.
    @param name: of the field or parameter.
    """
    return MethodNotAllowed(methods, f"'{name[:40]}' asks for another method; send the request with that one")
