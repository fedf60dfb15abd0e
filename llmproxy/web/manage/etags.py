"""
C{ETag} and C{If-Match}: a change that is made only if nobody else has made one meanwhile.

The tag stands for what can be changed; the counters of a token, which change with every use, are no part of it.
"""

from __future__ import annotations

import re

from ...management.versions import Versions
from ..operations import Call

_TAG = re.compile(rb'(W/)?"([^"]*)"')
_VERSION = re.compile(rb"v([1-9][0-9]{0,17})")


def tag(call: Call, version: int) -> None:
    """Have the answer say which version it shows."""
    call.fields.append((b"ETag", b'"v%d"' % version))


def wanted_versions(call: Call) -> Versions:
    """The versions that C{If-Match} names; C{None} where the change depends on none."""
    asked: bytes | None = call.request.getHeader(b"if-match")
    if asked is None or asked.strip() == b"*":
        return None
    # RFC 9110 section 13.1.1: weak tags match nothing here.
    named = [_VERSION.fullmatch(name) for weak, name in _TAG.findall(asked) if not weak]
    return {int(version[1]) for version in named if version is not None}
