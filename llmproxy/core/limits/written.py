"""Limits as they are written down: JSON with the fields of which something is said, C{null} for no limit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from attrs import evolve

from ...usagelimits import FIELDS, UNLIMITED, UNSET, UsageLimits

MONEY = frozenset({"max_budget", "soft_budget"})
"""Amounts are texts: no number of JSON is an exact decimal for every reader."""

Change = Mapping[str, Any]
"""Values by the names of fields: C{None} for no limit, C{UNSET} for nothing said; what is not named stays."""


def written(limits: UsageLimits) -> dict[str, Any]:
    """What JSON can hold: that of which something is said."""
    return {name: _plain(name, value) for name, value in zip(FIELDS, limits, strict=True) if value is not UNSET}


def limits_of(said: Mapping[str, Any]) -> UsageLimits:
    """
    The same, the other way. Fields of a later release are left out.

    @raise ValueError: an amount is none.
    """
    return UsageLimits(**{name: _value(name, said[name]) for name in FIELDS if name in said})


def text_of(limits: UsageLimits) -> str | None:
    """For a database; C{None} where nothing is said."""
    said = written(limits)
    return msgspec.json.encode(said).decode() if said else None


def read(text: str | None) -> UsageLimits:
    """
    Likewise.

    @raise ValueError: it was written by nobody.
    """
    if text is None:
        return UNLIMITED
    try:
        said = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        # It is no ValueError in the oldest msgspec that is allowed.
        raise ValueError(str(error)) from error
    return limits_of(said)


def changed(limits: UsageLimits, change: Change) -> UsageLimits:
    """L{UNLIMITED} itself where nothing is said any more, which others look for."""
    found = evolve(limits, **change)
    return UNLIMITED if found == UNLIMITED else found


def _plain(name: str, value: Any) -> Any:
    if name in MONEY and value is not None:
        return format(value, "f")
    return dict(value) if name == "downgrade" and value is not None else value


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in MONEY:
        try:
            return Decimal(value)
        except ArithmeticError:
            raise ValueError(f"{name} is no amount: {value!r}") from None
    if name == "downgrade":
        return tuple(value.items())
    return tuple(value) if isinstance(value, list) else value
