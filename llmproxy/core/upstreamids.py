"""The id that a provider gives a request, by which its support finds it again."""

from __future__ import annotations

from collections.abc import Mapping

from .identifiers import good_id

NAMES = (
    b"request-id",
    b"x-request-id",
    b"apim-request-id",
    b"x-ms-request-id",
    b"x-amzn-requestid",
    b"x-goog-request-id",
    b"cf-ray",
)
"""Anthropic's, OpenAI's, Azure's (two), Bedrock's, Google's, and Cloudflare's, which stands before others."""

KNOWN = frozenset(NAMES)


def id_among(found: Mapping[bytes, bytes]) -> str:
    """
    The first good one of L{NAMES}; C{""} if there is none.

    @param found: fields by their names in lower case.
    """
    for name in NAMES:
        if name in found:
            known_as = good_id(found[name])
            if known_as:
                return known_as
    return ""
