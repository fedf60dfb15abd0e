"""Response fields that a page may read: what browser builds of the providers' SDKs look for, Fetch section 3.3.4."""

from __future__ import annotations

import re
from collections.abc import Iterable

ALWAYS = (
    "X-Request-ID",
    "request-id",
    "Retry-After",
    "Retry-After-Ms",
    "x-should-retry",
    "RateLimit",
    "RateLimit-Policy",
    *(f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")),
    *(
        f"anthropic-ratelimit-{of}-{what}"
        for of in ("requests", "tokens", "input-tokens", "output-tokens")
        for what in ("limit", "remaining", "reset")
    ),
    "anthropic-organization-id",
    "openai-model",
    "openai-organization",
    "openai-processing-ms",
    "openai-version",
    "Cache-Status",
    "Age",
    "Date",
    "ETag",
    "Location",
    "Content-Location",
    "Operation-Location",
    "X-Goog-Upload-URL",
    "X-Goog-Upload-Status",
    "X-Goog-Upload-Chunk-Granularity",
    "WWW-Authenticate",
)
"""
By name: a C{*} would stand for nothing but itself where a page sends credentials, and never for C{Authorization}.
"""

_FAMILIES = re.compile(
    rb"(?:x-)?ratelimit(?:-|\Z)|[a-z]+-ratelimit-|openai-|anthropic-|x-goog-upload-|x-ms-|x-request-id\Z|apim-request-id\Z"
)
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
