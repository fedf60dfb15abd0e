"""
Cookies of the admin pages: their names, and keeping them apart from those of APIs.

Cookies know no ports: a browser that is signed in at the pages shows its session to whatever listens on the same host,
and what listens there can set it. So none of ours goes to upstream, and none of upstream's is one of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..message import Field

OURS = b"llmproxy_"
"""What the names of all of ours begin with, behind a prefix of RFC 6265bis that browsers hold."""

SESSION = "llmproxy_session"
VISITOR = "llmproxy_visitor"
"""Of a browser that is not signed in: what its sign-in form is tied to."""

READER = "llmproxy_reader"
"""Language, time zone and colours."""

FLASH = "llmproxy_flash"
"""One sentence for the next page."""

DEVICE = "llmproxy_device"
"""Which program the browser was asked to let in, sealed."""

ATTEMPT = "llmproxy_device_attempt"
"""A sign-in at an identity provider that has begun for that, sealed."""

DECIDER = "llmproxy_device_decider"
"""Who has signed in to decide, sealed."""

ME = "llmproxy_me"
"""Who looks at what is theirs, sealed."""

ME_ATTEMPT = "llmproxy_me_attempt"
"""A sign-in for that which has begun, sealed."""

SIGN_ON = "llmproxy_sign_in"
"""What a browser that is at an identity provider brings back."""

HOST_PREFIX = "__Host-"
"""A browser takes such a cookie over TLS alone, from the host itself, for all of its paths (RFC 6265bis 4.1.3.2)."""

_NAMED = re.compile(rb"[\s=]*(?:__(?:host|secure)-)?" + OURS, re.IGNORECASE)
"""
How a cookie of ours begins, or one that a browser would send as such: browsers write one without a name, C{=a=b}, as
C{a=b} (RFC 6265bis section 5.5), and some take spaces before a name.
"""

_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")


def without_ours(value: bytes) -> bytes:
    """The value of a C{Cookie} field without our cookies; as it was, byte for byte, where there are none."""
    if OURS not in value.lower():
        return value
    return b"; ".join(pair.strip() for pair in value.split(b";") if not _NAMED.match(pair))


def is_ours(value: bytes) -> bool:
    """Whether a C{Set-Cookie} field would set one of ours."""
    return _NAMED.match(value) is not None


def without_set_ours(fields: list[Field]) -> list[Field]:
    """Fields of an answer without those that would set a cookie of ours."""
    return [pair for pair in fields if len(pair[0]) != 10 or pair[0].lower() != b"set-cookie" or not is_ours(pair[1])]


def cookies_of(value: str) -> dict[str, str]:
    """
    The cookies in a C{Cookie} field, the first of each name: browsers write the one of the longest path first, and ours
    are all of one path.
    """
    found: dict[str, str] = {}
    for pair in value.split(";"):
        name, separator, content = pair.strip().partition("=")
        if separator and name and _VALUE.fullmatch(content):
            found.setdefault(name, content)
    return found


def own(cookies: Mapping[str, str], name: str, secure: bool) -> str:
    """
    One of ours, C{""} if it is not there.

    @param secure: the browser came by TLS: then only a cookie counts that was set so, which nobody in between, and no
        other host of the domain, can have set.
    """
    found = cookies.get(HOST_PREFIX + name, "")
    return found if found or secure else cookies.get(name, "")


def set_cookie(
    name: str, value: str, *, secure: bool, max_age: int | None = None, strict: bool = False, path: str = "/"
) -> str:
    """
    The value of a C{Set-Cookie} field for one of ours.

    @param max_age: seconds; C{None} until the browser is closed, 0 takes it away.
    @param strict: not sent where a link of another site leads here.
    @raise ValueError: the value cannot stand in a cookie.
    """
    if _VALUE.fullmatch(value) is None:
        raise ValueError("the value cannot stand in a cookie")
    parts = [f"{HOST_PREFIX if secure else ''}{name}={value}", f"Path={path}", "HttpOnly"]
    parts.append("SameSite=Strict" if strict else "SameSite=Lax")
    if secure:
        parts.append("Secure")
    if max_age is not None:
        parts.append(f"Max-Age={max_age}")
    return "; ".join(parts)
