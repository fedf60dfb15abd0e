"""C{Cache-Status}, RFC 9211: one member says what this cache did."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from ...message import Field

NAME = b"Cache-Status"
CACHE = b"llmproxy"

_MOST = 999_999_999
"""Seconds that are written, at most."""

Forward = Literal["bypass", "method", "uri-miss", "vary-miss", "request", "stale"]
"""Why a request went on, section 2.2."""


def hit(ttl: float, key: bytes = b"", detail: bytes = b"") -> Field:
    """
    @param ttl: the remaining freshness in seconds; negative if it was served stale.
    @param key: shown if it is not empty; for APIs that show debug fields only.
    """
    whole = int(max(-_MOST, min(_MOST, ttl // 1)))
    return (NAME, b"%s; hit; ttl=%d%s" % (CACHE, whole, _end(key, detail))) if key or detail else _plain_hit(whole)


@lru_cache(maxsize=256)
def _plain_hit(ttl: int) -> Field:
    return NAME, b"%s; hit; ttl=%d" % (CACHE, ttl)


def forwarded(
    reason: Forward,
    *,
    status: int | None = None,
    stored: bool = False,
    collapsed: bool = False,
    ttl: float | None = None,
    key: bytes = b"",
    detail: bytes = b"",
) -> Field:
    """
    @param status: what upstream answered, where the client gets another status.
    @param collapsed: the request shared one upstream exchange with others.
    """
    whole = None if ttl is None else int(max(-_MOST, min(_MOST, ttl // 1)))
    if key or detail:
        return NAME, _forwarded(reason, status, stored, collapsed, whole) + _end(key, detail)
    return _plain_forwarded(reason, status, stored, collapsed, whole)


def _forwarded(reason: Forward, status: int | None, stored: bool, collapsed: bool, ttl: int | None) -> bytes:
    parts = [CACHE, b"fwd=" + reason.encode("ascii")]
    if status is not None:
        parts.append(b"fwd-status=%d" % status)
    if ttl is not None:
        parts.append(b"ttl=%d" % ttl)
    if stored:
        parts.append(b"stored")
    if collapsed:
        parts.append(b"collapsed")
    return b"; ".join(parts)


@lru_cache(maxsize=256)
def _plain_forwarded(reason: Forward, status: int | None, stored: bool, collapsed: bool, ttl: int | None) -> Field:
    return NAME, _forwarded(reason, status, stored, collapsed, ttl)


def _end(key: bytes, detail: bytes) -> bytes:
    text = b'; key="%s"' % key if key else b""
    return text + (b"; detail=" + detail if detail else b"")


BYPASSED: Field = forwarded("bypass")
BY_METHOD: Field = forwarded("method")
