"""Reuse of stored responses: whether one answers a request, RFC 9111 section 4, and RFC 5861."""

from __future__ import annotations

from enum import Enum

from .control import CacheControl
from .directives import RequestDirectives
from .entry import Entry


class Reuse(Enum):
    """
    What to do with a stored response that a request selects.

    C{SERVE_STALE} is with the client's consent (C{max-stale}), C{SERVE_AND_REVALIDATE} with upstream's
    (C{stale-while-revalidate}). C{NOT_WANTED} is validation of a fresh one that the request insists on.
    """

    SERVE = "serve"
    SERVE_STALE = "stale"
    SERVE_AND_REVALIDATE = "while-revalidate"
    VALIDATE = "validate"
    NOT_WANTED = "not-wanted"


SERVED = frozenset((Reuse.SERVE, Reuse.SERVE_STALE, Reuse.SERVE_AND_REVALIDATE))

ERRORS = frozenset((500, 502, 503, 504))
"""What counts as an error of upstream, RFC 5861 section 4."""


def reuse_of(entry: Entry, asked: RequestDirectives, now: float) -> Reuse:
    """The decision at C{now}, seconds since the epoch."""
    control = asked.control
    age = entry.age(now)
    fresh_for = entry.lifetime - age
    fresh = fresh_for > 0 and not entry.always_validate
    if control.no_cache:
        return Reuse.NOT_WANTED if fresh else Reuse.VALIDATE
    if entry.always_validate:
        return Reuse.VALIDATE
    if fresh:
        return Reuse.SERVE if _is_fresh_enough(control, age, fresh_for) else Reuse.NOT_WANTED
    return _stale(entry, control, age, -fresh_for)


def serves_on_error(entry: Entry, asked: RequestDirectives, now: float, *, disconnected: bool) -> bool:
    """
    Whether a stale response may stand in for an error of upstream.

    With the consent of either side for its time (RFC 5861 section 4); and where upstream cannot be reached or gave no
    answer, unless one of them has forbidden it (RFC 9111 section 4.2.4).

    @param disconnected: there was no answer.
    """
    control = asked.control
    if entry.never_stale or entry.always_validate or control.no_cache or entry.status in ERRORS:
        return False
    stale_for = -entry.fresh_for(now)
    allowed = max(entry.if_error, float(control.stale_if_error or 0))
    if allowed > 0:
        return allowed >= stale_for
    return disconnected and _takes_stale(control, entry.age(now), stale_for)


def _takes_stale(control: CacheControl, age: float, stale_for: float) -> bool:
    """Whether nothing in the request speaks against a stale response."""
    if control.min_fresh is not None or (control.max_age is not None and age > control.max_age):
        return False
    return control.max_stale is None or stale_for <= control.max_stale


def _is_fresh_enough(control: CacheControl, age: float, fresh_for: float) -> bool:
    if control.max_age is not None and age > control.max_age:
        return False
    return control.min_fresh is None or fresh_for >= control.min_fresh


def _stale(entry: Entry, control: CacheControl, age: float, stale_for: float) -> Reuse:
    """RFC 9111 section 4.2.4: only with consent, and never against C{must-revalidate} and its like."""
    if entry.never_stale or control.min_fresh is not None:
        return Reuse.VALIDATE
    if control.max_age is not None and age > control.max_age:
        return Reuse.VALIDATE
    if control.max_stale is not None and stale_for <= control.max_stale:
        return Reuse.SERVE_STALE
    if stale_for < entry.while_revalidate:
        return Reuse.SERVE_AND_REVALIDATE
    return Reuse.VALIDATE
