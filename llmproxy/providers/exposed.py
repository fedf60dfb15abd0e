"""Response fields that a page may read: what browser builds of the providers' SDKs look for, Fetch section 3.3.4."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .registry import PROVIDERS

_ANYBODYS = (
    "Retry-After",
    "Retry-After-Ms",
    "x-should-retry",
    "RateLimit",
    "RateLimit-Policy",
    "Cache-Status",
    "Age",
    "Date",
    "ETag",
    "Location",
    "Content-Location",
    "WWW-Authenticate",
)
"""Of standards and drafts, and what several SDKs look for."""

ALWAYS = (*(name for provider in PROVIDERS for name in provider.exposed), *_ANYBODYS)
"""
By name: a C{*} would stand for nothing but itself where a page sends credentials, and never for C{Authorization}.
"""

_VENDORS = "|".join(re.escape(beginning) for provider in PROVIDERS for beginning in provider.exposed_families)
_FAMILIES = re.compile(rf"(?:x-)?ratelimit(?:-|\Z)|[a-z]+-ratelimit-|x-request-id\Z|{_VENDORS}".encode("ascii"))
"""Fields whose last part differs between models and plans, and so can be named only when they are there."""

_KNOWN = frozenset(name.lower().encode("ascii") for name in ALWAYS)
_COMMON = ", ".join(ALWAYS).encode("ascii")


def exposed(names: Iterable[bytes], theirs: Iterable[bytes]) -> bytes:
    """
    The value of C{Access-Control-Expose-Headers}.

    @param names: of the fields of an answer, in lower case.
    @param theirs: what upstream itself would have exposed, likewise.
    """
    more = [name for name in names if name not in _KNOWN and _FAMILIES.match(name)]
    more += [name for name in theirs if name not in _KNOWN and name != b"*"]
    return b", ".join([_COMMON, *dict.fromkeys(more)])
