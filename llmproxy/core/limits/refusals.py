"""
Refusals of limits, as clients read them: header fields, and a sentence.

C{Retry-After} is of RFC 9110 section 10.2.3; C{RateLimit} and C{RateLimit-Policy} are of the IETF's draft
(draft-ietf-httpapi-ratelimit-headers-10), as Structured Fields (RFC 9651). C{retry-after-ms} and C{x-should-retry} are
what the SDKs of OpenAI and Anthropic read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING

from attrs import evolve

from ...errors import ProxyError, Unavailable
from ...limiterrors import BudgetExceeded, LimitReached
from .values import PICO, Kind

if TYPE_CHECKING:
    from ...message import Field
    from .values import Rule
    from .verdicts import Left, Refusal

PATIENCE = 60.0
"""Seconds that an SDK waits at most because it was asked to; OpenAI's and Anthropic's take no longer time."""

_LARGEST = 999_999_999_999_999
"""Of an integer in a structured field (RFC 9651 section 3.3.1)."""

_UNITS: dict[Kind, tuple[str, str]] = {
    "requests": ("", " requests a minute"),
    "tokens": ("tokens", " tokens a minute"),
    "parallel": ("concurrent-requests", " requests at once"),
    "money": ("micro-usd", ""),
}
"""The quota unit of a policy, and the words behind a number."""


def error_of(refusal: Refusal, now: float) -> ProxyError:
    """
    What a client is answered.

    @param now: seconds since the epoch.
    """
    rule = refusal.rule
    if refusal.unavailable:
        return Unavailable(f"{rule.source} cannot be looked up now, and holds in any case (on_store_failure: closed)")
    if rule.limit <= 0 and refusal.resets_in is not None:
        # What ends or begins anew makes no room in a limit of 0.
        refusal = evolve(refusal, resets_in=None)
    fields = (*_retry(refusal), *rate_limit_fields([refusal]))
    if rule.kind == "money":
        return BudgetExceeded(_sentence(refusal, now), fields=fields)
    return LimitReached(_sentence(refusal, now), fields=fields)


def rate_limit_fields(states: Sequence[Left | Refusal]) -> tuple[Field, ...]:
    """C{RateLimit-Policy} and C{RateLimit} of the limits of a request."""
    if not states:
        return ()
    named = list(zip(_names([each.rule for each in states]), states, strict=True))
    policies = ", ".join(f'"{name}"{_policy(each.rule)}' for name, each in named)
    left = ", ".join(f'"{name}"{_state(each)}' for name, each in named)
    return ((b"RateLimit-Policy", policies.encode("ascii")), (b"RateLimit", left.encode("ascii")))


def amount(kind: Kind, value: int) -> str:
    """A number of what a limit counts: USD where it is money, to the cent or, where it is less, to two digits."""
    if kind != "money":
        return str(value)
    whole = value / PICO
    return f"{whole:.2f} USD" if whole >= 0.01 or not value else f"{whole:.2g} USD"


def _retry(refusal: Refusal) -> tuple[Field, ...]:
    wait = refusal.resets_in
    waits = wait is not None and wait <= PATIENCE and refusal.rule.kind != "money"
    should = (b"x-should-retry", b"true" if waits else b"false")
    if wait is None:
        return (should,)
    return (
        (b"Retry-After", b"%d" % max(1, ceil(wait))),
        (b"retry-after-ms", b"%d" % max(1, ceil(wait * 1000))),
        should,
    )


def _sentence(refusal: Refusal, now: float) -> str:
    rule = refusal.rule
    limit = f"{amount(rule.kind, rule.limit)}{_UNITS[rule.kind][1]}"
    if rule.kind == "money" and rule.window:
        limit += " in all" if rule.window == "total" else f" in {rule.window}"
    return f"{rule.source} is {limit}, of which {amount(rule.kind, refusal.left)} is left; {_until(refusal, now)}"


def _until(refusal: Refusal, now: float) -> str:
    rule, wait = refusal.rule, refusal.resets_in
    if wait is None:
        if rule.limit <= 0:
            return "it allows none: neither waiting nor a smaller request helps, a higher limit does"
        if rule.kind == "money" and refusal.left <= 0 and rule.window in ("", "total"):
            return "it does not begin anew: waiting does not help, a higher budget does"
        return "this request can use more than that: waiting does not help, a smaller one does (its max_tokens counts)"
    if rule.kind == "parallel":
        return "try again when one of those that run has ended"
    moment = datetime.fromtimestamp(now + wait, rule.zone)
    if rule.kind == "money":
        return f"it begins anew at {moment.isoformat(timespec='seconds')}"
    return f"there is room for this request in {max(1, ceil(wait))} s"


def _names(rules: Sequence[Rule]) -> list[str]:
    """Names of policies, each once: its kind and what it counts by, without ids, which are not everybody's to know."""
    names: list[str] = []
    for rule in rules:
        base = f"{rule.kind}-{rule.per}"
        names.append(base if base not in names else f"{base}-{len(names) + 1}")
    return names


def _number(rule: Rule, value: int) -> int:
    return min(_LARGEST, max(0, value * 1_000_000 // PICO if rule.kind == "money" else value))


def _policy(rule: Rule) -> str:
    unit = _UNITS[rule.kind][0]
    return (
        f";q={_number(rule, rule.limit)}" + (f';qu="{unit}"' if unit else "") + (";w=60" if rule.window == "1m" else "")
    )


def _state(state: Left | Refusal) -> str:
    wait = state.resets_in
    return f";r={_number(state.rule, state.left)}" + ("" if wait is None else f";t={max(0, ceil(wait))}")
