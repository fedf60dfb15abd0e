"""Eligibility of requests for the cache."""

from __future__ import annotations

from ...apisettings import CacheSettings
from .directives import RequestDirectives


def is_for_origin(asked: RequestDirectives) -> bool:
    """Whether only upstream can answer, RFC 9110 section 13.2.1, and what it answers is of no use to others."""
    return asked.overridden or asked.for_origin_only


def opted_in(asked: RequestDirectives, settings: CacheSettings) -> float | None:
    """
    The lifetime that the client of a POST asks for, in seconds, bounded by the operator.

    HTTP does not define a cache for POST: only C{public} with an age above 0 asks for ours. A condition or a range
    means something else with this method.
    """
    control = asked.control
    wanted = control.s_maxage or control.max_age
    if not control.public or not wanted or control.no_store or control.private or control.conflicting:
        return None
    if is_for_origin(asked) or asked.conditional or asked.range is not None:
        return None
    return min(float(wanted), settings.post_max_age) or None


def may_wait(asked: RequestDirectives) -> bool:
    """
    Whether a request may be answered with what another one, which is on its way already, brings.

    Not one that wants it fresh from upstream, nor one whose answer would be its own.
    """
    return not (asked.control.no_cache or asked.control.no_store or asked.conditional or asked.range is not None)


def may_lead(asked: RequestDirectives) -> bool:
    """Whether others may wait for what a request brings."""
    return not (asked.control.no_store or asked.conditional or asked.range is not None)
