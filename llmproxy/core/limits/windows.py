"""Windows of budgets: spans of time that begin and end for everybody at the same moment."""

from __future__ import annotations

import re
from datetime import date, datetime, time, tzinfo
from functools import lru_cache

TOTAL = "total"
"""The duration of a budget that never begins anew."""

_DURATION = re.compile(r"([1-9][0-9]{0,4})(m|h|d|w|mo|y)", re.ASCII)
_SECONDS = {"m": 60, "h": 3600}
_DAYS = {"d": 1, "w": 7}
_MONTHS = {"mo": 1, "y": 12}
_MOST = {"m": 1_440, "h": 8_784, "d": 3_660, "w": 520, "mo": 120, "y": 10}
_MONDAY = date(1970, 1, 5).toordinal()
_EPOCH_MONDAY = 4 * 86_400


@lru_cache(256)
def parts_of(duration: str) -> tuple[int, str]:
    """
    The number and the unit of a duration: C{m h d w mo y}, at most ten years; C{(0, "")} for L{TOTAL}.

    @raise ValueError: it is none; the text says what was expected.
    """
    if duration == TOTAL:
        return 0, ""
    match = _DURATION.fullmatch(duration)
    if match is None or int(match[1]) > _MOST[match[2]]:
        raise ValueError(f"expected a duration such as 1h, 1d, 7d, 1mo, or total, got {duration[:40]!r}")
    return int(match[1]), match[2]


def window_of(duration: str, at: float, zone: tzinfo) -> tuple[float, float | None]:
    """
    The window that a moment is in: its begin, and its end, which is the begin of the next one.

    Minutes and hours are counted in UTC, from a Monday's midnight. Days are those of the calendar of C{zone}, several
    are counted from a Monday (so that C{7d} and C{1w} begin on Mondays); months and years are those of its calendar,
    several are counted from January (so that C{3mo} is a quarter). Where clocks change, days have 23 or 25 hours.

    @param at: seconds since the epoch, as both results are.
    @return: C{(0.0, None)} for L{TOTAL}.
    """
    count, unit = parts_of(duration)
    if unit in _SECONDS:
        width = count * _SECONDS[unit]
        begin = (at - _EPOCH_MONDAY) // width * width + _EPOCH_MONDAY
        return begin, begin + width
    if not unit:
        return 0.0, None
    local = datetime.fromtimestamp(at, zone).date()
    begins, ends = _days(local, count * _DAYS[unit]) if unit in _DAYS else _months(local, count * _MONTHS[unit])
    return _midnight(begins, zone), _midnight(ends, zone)


def _days(day: date, width: int) -> tuple[date, date]:
    first = (day.toordinal() - _MONDAY) // width * width + _MONDAY
    return date.fromordinal(first), date.fromordinal(first + width)


def _months(day: date, width: int) -> tuple[date, date]:
    first = (day.year * 12 + day.month - 1) // width * width
    return _first_of(first), _first_of(first + width)


def _first_of(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def _midnight(day: date, zone: tzinfo) -> float:
    # fold=0: where clocks go back at midnight, the earlier of the two.
    return datetime.combine(day, time(), zone).timestamp()
