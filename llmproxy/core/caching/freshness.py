"""Age and freshness of a response: RFC 9111 section 4.2, for a shared cache."""

from __future__ import annotations

from ...apisettings import CacheSettings
from ...message import Fields
from .. import fields as sections
from .control import LONGEST, CacheControl, delta_seconds
from .dates import parse_date

HEURISTICALLY_CACHEABLE = frozenset((200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501))
"""RFC 9110 section 15.1."""


def age_value(fields: Fields) -> int:
    """
    What C{Age} says, in seconds, 0 if it says nothing.

    RFC 9111 section 5.1: of several values the first counts, one that is no number is ignored.
    """
    lines = sections.values(fields, b"age")
    return (delta_seconds(lines[0].split(b",")[0].strip()) or 0) if lines else 0


def date_value(fields: Fields, response_time: float) -> float:
    """What C{Date} says; without one the moment of receipt (RFC 9110 section 6.6.1)."""
    text = sections.first(fields, b"date")
    parsed = parse_date(text, response_time) if text is not None else None
    return response_time if parsed is None else parsed


def initial_age(fields: Fields, request_time: float, response_time: float) -> float:
    """
    C{corrected_initial_age} of RFC 9111 section 4.2.3, in seconds.

    @param request_time: when the request that brought the response was sent.
    @param response_time: when its head came.
    """
    apparent_age = max(0.0, response_time - date_value(fields, response_time))
    response_delay = max(0.0, response_time - request_time)
    return max(apparent_age, age_value(fields) + response_delay)


def explicit_lifetime(control: CacheControl, fields: Fields, response_time: float, *, targeted: bool) -> float | None:
    """
    What upstream says, RFC 9111 section 4.2.1, in seconds; C{None} if it says nothing.

    Numbers that contradict each other or are none give 0: the response counts as stale.

    @param targeted: C{control} is of C{CDN-Cache-Control}, so that C{Expires} does not count (RFC 9213 section 2.2).
    """
    if control.conflicting:
        return 0.0
    if control.s_maxage is not None:
        return float(control.s_maxage)
    if control.max_age is not None:
        return float(control.max_age)
    lines = [] if targeted else sections.values(fields, b"expires")
    if not lines:
        return None
    moments = {parse_date(line, response_time) for line in lines}
    expires = moments.pop()
    if moments or expires is None:
        return 0.0
    return min(max(0.0, expires - date_value(fields, response_time)), float(LONGEST))


def supposed_lifetime(
    status: int, control: CacheControl, fields: Fields, response_time: float, settings: CacheSettings
) -> float | None:
    """
    A lifetime for a response that names none: the operator's default, else RFC 9111 section 4.2.2.

    @return: C{None} if there is no ground for one.
    """
    if not control.public and status not in HEURISTICALLY_CACHEABLE:
        return None
    if settings.default_ttl > 0:
        return settings.default_ttl
    text = sections.first(fields, b"last-modified")
    modified = parse_date(text, response_time) if text is not None else None
    if modified is None or not settings.heuristic:
        return None
    unchanged = date_value(fields, response_time) - modified
    return min(settings.heuristic * unchanged, settings.heuristic_max) if unchanged > 0 else None
