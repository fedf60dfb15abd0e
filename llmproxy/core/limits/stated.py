"""Single limits as people state them: what is right, and the words in which what is wrong is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from ipaddress import ip_network

from ...usagelimits import UNSET, Unset, UsageLimits
from .windows import parts_of

MOST = 2**53 - 1
"""The largest integer that every JSON parser keeps exactly (RFC 8259 section 6)."""

LONGEST_LIST = 100
LONGEST_NAME = 200
"""Characters, of the name of a model or a pattern for it, and of a path."""

AMOUNT = r"^[0-9]{1,12}(\.[0-9]{1,12})?$(?!\n)"
"""In JSON Schema and in Python alike."""

DURATION = r"^([1-9][0-9]{0,4}(m|h|d|w|mo|y)|total)$(?!\n)"


def amount(text: str) -> Decimal:
    """
    USD, without a sign, an exponent or a currency.

    @raise ValueError: it is none.
    """
    if re.match(AMOUNT, text, re.ASCII) is None:
        raise ValueError(f"expected an amount of USD such as 50 or 0.25, got {text[:40]!r}")
    return Decimal(text)


def count(text: str) -> int:
    """
    @raise ValueError: it is no whole number from 0.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 16) or int(text) > MOST:
        raise ValueError(f"expected a whole number from 0 to {MOST}, got {text[:40]!r}")
    return int(text)


def duration(text: str) -> str:
    """
    @raise ValueError: it is none; see L{llmproxy.core.limits.windows.parts_of}.
    """
    parts_of(text)
    return text


def model(text: str) -> str:
    """
    The name of a model, or a pattern.

    @raise ValueError: it can be none.
    """
    if not text.strip() or not text.isprintable() or len(text) > LONGEST_NAME:
        raise ValueError(f"expected the name of a model, or a pattern such as gpt-4o*, got {text[:80]!r}")
    return text


def source(text: str) -> str:
    """
    An address or a network, in its usual form.

    @raise ValueError: it is none, or an address within a network where a network is meant.
    """
    try:
        return str(ip_network(text)) if "/" in text else str(ip_network(text).network_address)
    except ValueError:
        pass
    try:
        inner = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"expected an address or a network such as 10.0.0.0/8, got {text[:60]!r}") from None
    raise ValueError(f"{text} is an address within a network: expected {inner}, or the address alone")


def contradictions(limits: UsageLimits, *, defaults: bool = True) -> Iterator[tuple[str, str]]:
    """
    What cannot hold: the field, and a sentence.

    @param defaults: others may give what is not said here.
    """
    budget, soft = limits.max_budget, limits.soft_budget
    if isinstance(budget, Decimal) and isinstance(soft, Decimal) and soft > budget:
        yield "soft_budget", f"it is above max_budget ({soft} > {budget}), so that it would never warn"
    without = budget is None or (budget is UNSET and not defaults)
    if without and limits.hard_budget:
        yield "hard_budget", "it holds of a max_budget, and there is none"
    if without and limits.over_budget not in (None, UNSET, "refuse"):
        yield "over_budget", "it holds of a max_budget, and there is none"
    if limits.hard_budget and limits.over_budget == "warn":
        yield "over_budget", "warn lets requests pass whose streams a hard_budget would cut: take one of the two"
    if limits.over_budget == "downgrade" and (limits.downgrade is None or (not limits.downgrade and not defaults)):
        yield "over_budget", "downgrade names no model: give downgrade as {gpt-5: gpt-5-mini}"
    if isinstance(limits.downgrade, tuple) and any(one == other for one, other in limits.downgrade):
        yield "downgrade", "a model is to be asked in place of itself"
    for name in ("models", "apis", "endpoints", "source_addresses"):
        listed: tuple[str, ...] | Unset | None = getattr(limits, name)
        if listed == ():
            yield name, "an empty list would allow nothing; null allows everything"
        elif isinstance(listed, tuple) and len(listed) > LONGEST_LIST:
            yield name, f"at most {LONGEST_LIST} values"
