"""The one normalisation of request targets."""

from __future__ import annotations

import re

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
