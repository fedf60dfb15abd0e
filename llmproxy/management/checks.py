"""Limits of names, keys, numbers and times, and the words in which the reference refuses what is beyond them."""

from __future__ import annotations

from ..errors import BadRequest, Unprocessable

MAX_NAME = 255
"""Characters."""

MAX_MINUTES = 525_600
"""A year, as in the reference."""

MAX_REQUESTS = 2**53 - 1
"""The largest integer that every JSON parser keeps exactly (RFC 8259 section 6)."""


def check_name(name: str) -> None:
    """
    @raise Unprocessable: it cannot be shown, says nothing, or is too long.
    """
    if len(name) > MAX_NAME:
        raise Unprocessable(f"at most {MAX_NAME} characters", message="invalid name")
    if not name.strip() or not name.isprintable():
        raise Unprocessable("expected printable characters, and not spaces alone", message="invalid name")


def check_api_key(api_key: str) -> None:
    """
    @raise BadRequest: it is what we show instead of a key.
    """
    if "..." in api_key or "****" in api_key:
        raise BadRequest(message="cannot save obfuscated API key - please provide the full API key")


def check_max_requests(max_requests: int | None) -> None:
    """
    @raise BadRequest: it is negative, or too large to be kept exactly.
    """
    if max_requests is not None and max_requests < 0:
        raise BadRequest(message="max_requests must be >= 0")
    if max_requests is not None and max_requests > MAX_REQUESTS:
        raise BadRequest(message=f"max_requests must be <= {MAX_REQUESTS}")


def check_expiry(expires_at: float, now: float) -> None:
    """
    @param expires_at: seconds since the epoch, as C{now}.
    @raise Unprocessable: it has passed, or is too far away.
    """
    if expires_at <= now:
        raise Unprocessable("to end it, revoke it", message="expires_at is in the past")
    if expires_at > now + MAX_MINUTES * 60:
        raise Unprocessable(f"at most {MAX_MINUTES} minutes from now", message="expires_at exceeds maximum allowed")
