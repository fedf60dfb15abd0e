"""
C{ETag} and C{If-Match}: a change that is made only if nobody else has made one meanwhile.

The tag stands for what can be changed; the counters of a token, which change with every use, are no part of it.
"""

from __future__ import annotations

import re

from ...errors import PreconditionFailed
from ..operations import Call

_TAG = re.compile(rb'(W/)?"([^"]*)"')


def tag(call: Call, version: int) -> None:
    """Have the answer say which version it shows."""
    call.fields.append((b"ETag", b'"v%d"' % version))


def wanted_version(call: Call, version: int) -> int | None:
    """
    The version that a change depends on; C{None} if it depends on none.

    @param version: the present one.
    @raise PreconditionFailed: it is not among those that C{If-Match} names.
    """
    asked: bytes | None = call.request.getHeader(b"if-match")
    if asked is None or asked.strip() == b"*":
        return None
    # RFC 9110 section 13.1.1: weak tags match nothing here.
    strong = [name for weak, name in _TAG.findall(asked) if not weak]
    if b"v%d" % version not in strong:
        raise PreconditionFailed("it has been changed since")
    return version
