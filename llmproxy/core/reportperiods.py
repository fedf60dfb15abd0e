"""Hours, days, weeks and months of a time zone, and moments as people write them."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_AGO = re.compile(r"([0-9]{1,6})(m|h|d|w|mo|y)", re.ASCII)
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}", re.ASCII)
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(\.[0-9]{1,9})?([Zz]|[+ -][0-9]{2}:?[0-9]{2})?",
    re.ASCII,
)
_EARLIEST, _LATEST = -62_135_596_800.0, 253_402_299_900.0
"""Seconds since the epoch that have a date in UTC, the next quarter of an hour included."""

_EXPECTED = (
    "expected a day such as 2026-01-31, a month such as 2026-01, a time such as 2026-01-31T12:00:00Z, "
    "or how long ago such as 24h, 7d, 2w or 1mo"
)


@lru_cache(64)
def zone_of(name: str) -> tzinfo:
    """
    A time zone by its name in the IANA database.

    @raise ValueError: there is none; the text says what to do.
    """
    if name.upper() in ("UTC", "Z"):
        return timezone.utc
    try:
        if not (name.isascii() and name.isprintable() and 0 < len(name) <= 64):
            raise ValueError
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        words = f"unknown time zone {name[:64]!r}: expected UTC or a name such as Europe/Berlin"
        raise ValueError(f"{words} (a system without time zones needs the package tzdata)") from None


def moment_of(text: str, now: float, zone: tzinfo) -> float:
    """
    Seconds since the epoch, from a day, a month or a time (one without an offset is in C{zone}), or from how long
    before C{now}: C{m h d w} are of a fixed length, C{mo} and C{y} go back by the calendar. The sign of an offset may
    be a space, which is what a C{+} in a query means where it is not encoded. What has no date in UTC, which the first
    and the last day of the calendar may not have, is the nearest that has.

    @raise ValueError: it is none of them; the text says what was expected.
    """
    try:
        ago = _AGO.fullmatch(text)
        moment = _before(int(ago[1]), ago[2], now, zone) if ago else _written(text, zone)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{_EXPECTED}, got {text[:64]!r}") from None
    return min(max(moment, _EARLIEST), _LATEST)


def _before(count: int, unit: str, now: float, zone: tzinfo) -> float:
    if unit in _SECONDS:
        return datetime.fromtimestamp(now - count * _SECONDS[unit], timezone.utc).timestamp()
    at = datetime.fromtimestamp(now, zone)
    year, month = divmod(at.year * 12 + at.month - 1 - count * (12 if unit == "y" else 1), 12)
    day = min(at.day, monthrange(year, month + 1)[1])
    return at.replace(year=year, month=month + 1, day=day).timestamp()


def _written(text: str, zone: tzinfo) -> float:
    if _MONTH.fullmatch(text):
        text += "-01"
    if _DATE.fullmatch(text):
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone).timestamp()
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError
    day, minute, second, fraction, offset = match.groups()
    at = datetime.strptime(f"{day} {minute}{second or ':00'}", "%Y-%m-%d %H:%M:%S")
    return at.replace(tzinfo=_offset(offset) if offset else zone).timestamp() + float(f"0{fraction or '.0'}")


def _offset(text: str) -> tzinfo:
    if text in "Zz":
        return timezone.utc
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    if int(text[-2:]) > 59:
        raise ValueError
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def label(period: str, at: float, zone: tzinfo) -> str:
    """
    The period that a moment is in: C{2026-01-31T13:00:00+01:00}, C{2026-01-31}, C{2026-W05} (ISO 8601) or C{2026-01}.

    @param period: one of L{llmproxy.core.reportgroups.PERIODS}.
    """
    local = datetime.fromtimestamp(at, zone)
    if period == "week":
        year, week, _ = local.isocalendar()
        return f"{year:04}-W{week:02}"
    if period == "hour":
        return local.replace(minute=0, second=0, microsecond=0).isoformat()
    return local.strftime("%Y-%m-%d" if period == "day" else "%Y-%m")


def begins(period: str, at: float, zone: tzinfo) -> float:
    """When the period began that a moment is in, seconds since the epoch."""
    local = datetime.fromtimestamp(at, zone).replace(minute=0, second=0, microsecond=0)
    if period == "hour":
        return local.timestamp()
    days = {"day": 0, "week": local.weekday(), "month": local.day - 1}[period]
    return (local.replace(hour=0, fold=0) - timedelta(days=days)).timestamp()


def ends(period: str, at: float, zone: tzinfo) -> float:
    """When the next period begins, likewise."""
    begun = begins(period, at, zone)
    if period == "hour":
        return begun + 3600
    days = {"day": 1, "week": 7, "month": 31}[period]
    # Noon of a day within the next period: no change of clocks is that long.
    later = datetime.fromtimestamp(begun, zone).replace(hour=12, fold=0) + timedelta(days=days)
    return begins(period, later.timestamp(), zone)
