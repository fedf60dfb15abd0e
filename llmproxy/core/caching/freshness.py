"""Age and freshness of a response: RFC 9111 section 4.2, for a shared cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...apisettings import CacheSettings
from ...message import Fields
from ..fields import Names
from .control import LONGEST, CacheControl, delta_seconds
from .dates import parse_date
from .targeted import FIELD

HEURISTICALLY_CACHEABLE = frozenset((200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501))
"""RFC 9110 section 15.1."""

_DECISIVE = frozenset(
    (
        FIELD,
        b"age",
        b"cache-control",
        b"content-encoding",
        b"content-type",
        b"date",
        b"etag",
        b"expires",
        b"last-modified",
        b"set-cookie",
        b"vary",
    )
)
_DECISIVE_BY = Names(lambda name: name.lower() if name.lower() in _DECISIVE else b"")

Said = Mapping[bytes, Sequence[bytes]]
"""What upstream says: the values of decisive fields, a line each, by their names in lower case."""


def said_by(fields: Fields) -> Said:
    """The values of the few fields that decide about storing and freshness, found in one pass."""
    said: dict[bytes, list[bytes]] = {}
    decisive = _DECISIVE_BY
    for name, value in fields:
        lower = decisive[name]
        if lower:
            said.setdefault(lower, []).append(value)
    return said


def age_value(said: Said) -> int:
    """
    What C{Age} says, in seconds, 0 if it says nothing.

    RFC 9111 section 5.1: of several values the first counts, one that is no number is ignored.
    """
    return (delta_seconds(said[b"age"][0].split(b",")[0].strip()) or 0) if b"age" in said else 0


def date_value(said: Said, response_time: float) -> float:
    """What C{Date} says; without one the moment of receipt (RFC 9110 section 6.6.1)."""
    parsed = parse_date(said[b"date"][0], response_time) if b"date" in said else None
    return response_time if parsed is None else parsed


def initial_age(said: Said, request_time: float, response_time: float) -> float:
    """
    C{corrected_initial_age} of RFC 9111 section 4.2.3, in seconds.

    @param request_time: when the request that brought the response was sent.
    @param response_time: when its head came.
    """
    apparent_age = max(0.0, response_time - date_value(said, response_time))
    response_delay = max(0.0, response_time - request_time)
    return max(apparent_age, age_value(said) + response_delay) if b"age" in said else max(apparent_age, response_delay)


def explicit_lifetime(control: CacheControl, said: Said, response_time: float, *, targeted: bool) -> float | None:
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
    if targeted or b"expires" not in said:
        return None
    moments = {parse_date(line, response_time) for line in said[b"expires"]}
    expires = moments.pop()
    if moments or expires is None:
        return 0.0
    return min(max(0.0, expires - date_value(said, response_time)), float(LONGEST))


def supposed_lifetime(
    status: int, control: CacheControl, said: Said, response_time: float, settings: CacheSettings
) -> float | None:
    """
    A lifetime for a response that names none: the operator's default, else RFC 9111 section 4.2.2.

    @return: C{None} if there is no ground for one.
    """
    if not control.public and status not in HEURISTICALLY_CACHEABLE:
        return None
    if settings.default_ttl > 0:
        return settings.default_ttl
    modified = parse_date(said[b"last-modified"][0], response_time) if b"last-modified" in said else None
    if modified is None or not settings.heuristic:
        return None
    unchanged = date_value(said, response_time) - modified
    return min(settings.heuristic * unchanged, settings.heuristic_max) if unchanged > 0 else None
