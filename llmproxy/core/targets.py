"""The one normalisation of request targets."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

QUERY = ord("?")
"""
The byte before a query. C{QUERY in target} is one search; for C{b"?"} CPython first tries to make a number of it, and
forgets the exception that comes of it, which takes ten times as long.
"""

_SLASHES = re.compile(rb"//+")


def merged(target: bytes) -> bytes:
    """
    A target with each run of slashes in its path as one, as nginx's C{merge_slashes} has it; all else, and the query,
    keeps its bytes.

    RFC 3986 gives an empty segment a meaning of its own; servers differ in whether they see it. What is decided and
    what is forwarded would be two things.

    >>> merged(b"//v1///models//?next=//x")
    b'/v1/models/?next=//x'
    """
    path, mark, query = target.partition(b"?")
    return _SLASHES.sub(b"/", path) + mark + query


def with_parameter(target: bytes, name: bytes, value: bytes) -> bytes:
    """
    A target whose query has one parameter of a name, with this value, in the place of the first that it had; all else
    keeps its bytes.

    >>> with_parameter(b"/v1?a=1&api-version=old&b=2", b"api-version", b"new")
    b'/v1?a=1&api-version=new&b=2'
    """
    path, _, query = target.partition(b"?")
    said = name + b"=" + value
    parts: list[bytes] = []
    found = False
    for part in query.split(b"&") if query else ():
        if unquote_to_bytes(part.partition(b"=")[0]).lower() != name:
            parts.append(part)
        elif not found:
            parts.append(said)
            found = True
    return path + b"?" + b"&".join(parts if found else [*parts, said])
