"""Dates in header fields: RFC 9110 section 5.6.7."""

from __future__ import annotations

import re
from calendar import timegm
from email.utils import formatdate
from functools import lru_cache
from time import gmtime

from ...message import Field

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), start=1
    )
}
_TIME = rb"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_PREFERRED = re.compile(
    rb"[a-z]{3}, (?P<day>\d\d) (?P<month>[a-z]{3}) (?P<year>\d{4}) " + _TIME + rb" gmt", re.IGNORECASE
)
_PREFERRED_LENGTH = 29
_OBSOLETE = (
    re.compile(rb"[a-z]{6,9}, (?P<day>\d\d)-(?P<month>[a-z]{3})-(?P<year>\d\d) " + _TIME + rb" gmt", re.IGNORECASE),
    re.compile(rb"[a-z]{3} (?P<month>[a-z]{3}) (?P<day>[ \d]\d) " + _TIME + rb" (?P<year>\d{4})", re.IGNORECASE),
)


def parse_date(text: bytes, now: float) -> float | None:
    """
    Seconds since the epoch, from any of the three forms; C{None} if it is none of them.

    The forms are case-sensitive where they are written. RFC 9111 section 4.2 wants a cache to read them in any case.

    @param now: a year of two digits that would lie more than 50 years ahead is of the century before.
    """
    moment = _preferred(text) if len(text) == _PREFERRED_LENGTH else None
    if moment is not None:
        return moment
    for form in _OBSOLETE:
        match = form.fullmatch(text)
        if match is not None:
            return _seconds(match.groupdict(), now)
    return None


@lru_cache(maxsize=256)
def _preferred(text: bytes) -> float | None:
    """In the form that all of today send: many responses have the same C{Date}."""
    match = _PREFERRED.fullmatch(text)
    return None if match is None else _seconds(match.groupdict(), 0.0)


def format_date(seconds: float) -> bytes:
    """The form that is sent."""
    return formatdate(int(seconds), usegmt=True).encode("ascii")


@lru_cache(maxsize=16)
def date_field(now: float) -> Field:
    """
    C{Date} of a message that is made, or came without one, at C{now}: RFC 9110 section 6.6.1.

    @param now: without a fraction (C{// 1}), so that what was made is found again.
    """
    return (b"Date", format_date(now))


def _seconds(parts: dict[str, bytes], now: float) -> float | None:
    month = _MONTHS.get(parts["month"].title())
    day, hour, minute, second = (int(parts[name]) for name in ("day", "hour", "minute", "second"))
    if month is None or not 1 <= day <= 31 or hour > 23 or minute > 59 or second > 60:
        return None
    year = int(parts["year"])
    if len(parts["year"]) == 2:
        year += _century(year, now)
    return float(timegm((year, month, day, hour, minute, second))) if year >= 1900 else None


def _century(year: int, now: float) -> int:
    this = gmtime(now).tm_year
    century = this // 100 * 100
    return century - 100 if century + year > this + 50 else century
