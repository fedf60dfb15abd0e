"""Limits of names, keys, numbers and times, and the words in which the reference refuses what is beyond them."""

from __future__ import annotations

import re

from ..errors import BadRequest, Unprocessable

MAX_NAME = 255
"""Characters."""

MAX_API_KEY = 4096
"""Characters."""

MAX_MINUTES = 525_600
"""A year, as in the reference."""

MAX_ADMIN_MINUTES = 10 * MAX_MINUTES

MAX_OVERLAP = 7 * 86_400
"""Seconds."""

ADMIN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$(?!\n)"
"""In JSON Schema and in Python alike: Python's C{$} allows for one more line feed."""

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


def check_duration(seconds: float, most_minutes: int) -> None:
    """
    @raise BadRequest: it is not positive, or longer than C{most_minutes}.
    """
    if not 0 < seconds <= most_minutes * 60:
        raise BadRequest(f"expected at most {most_minutes} minutes, and more than none", message="invalid duration")


def check_overlap(seconds: float) -> None:
    """
    @raise BadRequest: it is negative, or longer than a week.
    """
    if not 0 <= seconds <= MAX_OVERLAP:
        raise BadRequest(f"expected 0 to {MAX_OVERLAP} seconds", message="invalid overlap")


def check_admin_name(name: str) -> None:
    """
    @raise BadRequest: it could be taken for another, or for more than a name.
    """
    if re.match(ADMIN_NAME, name) is None:
        raise BadRequest("expected letters, digits and . _ @ + -, at most 64", message="invalid name")
