"""A look at the clock: of the kernel, of the database, of Redis; and whether somebody sets it meanwhile."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Any

from ..core.doctor.clock import ClockFacts
from .bounded import at_once
from .look_database import clock_of_database, newest_record
from .look_redis import clocks_of_redis
from .subject import Subject

ASKED_FOR = 5.0
"""Seconds that others get to say what time it is."""

WATCHED = 0.3
"""Seconds for which the clock is watched, at least."""

_TIME_ERROR = 5
"""Of C{adjtimex(2)}: the clock is kept by nobody."""


class _Timex(ctypes.Structure):
    """C{struct timex} of Linux, of which nothing but the modes is looked at; the rest is room enough."""

    _fields_ = [("modes", ctypes.c_uint), ("rest", ctypes.c_byte * 252)]


def look_at_clock(
    subject: Subject,
    now: Callable[[], float] = time.time,
    steady: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> ClockFacts:
    """How right it is."""
    apart, began = now() - steady(), steady()
    asked: list[Callable[[], Any]] = [
        lambda: clock_of_database(subject, now),
        lambda: tuple(clocks_of_redis(subject, now)),
        lambda: newest_record(subject, now),
    ]
    # What does not answer has checks of its own, and is no reason to say nothing of the clock.
    of_database, of_redis, newest = (
        None if isinstance(each, Exception) else each for each in at_once(asked, ASKED_FOR)
    )
    skews = (*(() if of_database is None else (of_database,)), *(of_redis or ()))
    sleep(max(0.0, WATCHED - (steady() - began)))
    return ClockFacts(kept(), now() - steady() - apart, time.gmtime(now()).tm_year, skews, newest)


def kept(library: Any = None) -> bool | None:
    """Whether the kernel's clock is kept right; C{None} where it does not say (adjtimex(2), which only reads)."""
    try:
        call = (library or ctypes.CDLL(None, use_errno=True)).adjtimex
    except (OSError, AttributeError, TypeError):
        return None
    state = call(ctypes.byref(_Timex()))
    return None if state < 0 else state != _TIME_ERROR
