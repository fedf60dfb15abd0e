"""The id that a provider gives a request, by which its support finds it again."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.identifiers import good_id
from .registry import PROVIDERS

_COMMON = (b"request-id", b"x-request-id")
"""What vendors and those that stand in front of them call it alike."""

_IN_FRONT = (b"cf-ray",)
"""Cloudflare's, which stands before others."""

NAMES = tuple(dict.fromkeys((*_COMMON, *(name for provider in PROVIDERS for name in provider.request_ids), *_IN_FRONT)))

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
