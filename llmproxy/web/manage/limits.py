"""Limits in requests and responses of the management API."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, to_builtins

from ...core.limits.stated import AMOUNT, DURATION, LONGEST_LIST, LONGEST_NAME, MOST
from ...core.limits.values import PICO
from ...core.limits.written import written
from ...management.limits import Left
from ...usagelimits import FIELDS, OverBudget, UsageLimits

Count = Annotated[int, Meta(ge=0, le=MOST)]
Amount = Annotated[str, Meta(max_length=25, pattern=AMOUNT, description="USD, as a decimal.")]
Duration = Annotated[
    str,
    Meta(max_length=7, pattern=DURATION, description="1h, 1d, 7d, 1mo (by the calendar of time_zone), or total."),
]
Text = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Listed = Annotated[list[Text], Meta(min_length=1, max_length=LONGEST_LIST)]
Downgrade = Annotated[dict[Text, Text], Meta(max_length=LONGEST_LIST)]
LimitName = Literal[
    "rpm_limit",
    "tpm_limit",
    "max_parallel_requests",
    "max_budget",
    "budget_duration",
    "soft_budget",
    "hard_budget",
    "over_budget",
    "downgrade",
    "models",
    "apis",
    "endpoints",
    "source_addresses",
]
_NAMES: dict[str, str] = {
    "requests": "rpm_limit",
    "tokens": "tpm_limit",
    "parallel": "max_parallel_requests",
    "money": "max_budget",
}


class LimitFields(Struct, kw_only=True):
    """C{null} is no limit; what is left out says nothing, so that the configuration's default holds."""

    rpm_limit: Count | UnsetType | None = UNSET
    tpm_limit: Count | UnsetType | None = UNSET
    max_parallel_requests: Count | UnsetType | None = UNSET
    max_budget: Amount | UnsetType | None = UNSET
    budget_duration: Duration | UnsetType | None = UNSET
    soft_budget: Amount | UnsetType | None = UNSET
    hard_budget: bool | UnsetType | None = UNSET
    over_budget: OverBudget | UnsetType | None = UNSET
    downgrade: Downgrade | UnsetType | None = UNSET
    models: Listed | UnsetType | None = UNSET
    apis: Listed | UnsetType | None = UNSET
    endpoints: Listed | UnsetType | None = UNSET
    source_addresses: Listed | UnsetType | None = UNSET


class LimitChange(LimitFields, kw_only=True):
    """What is left out stays, C{null} is no limit; what is in C{unset_limits} says nothing any more."""

    unset_limits: Annotated[list[LimitName], Meta(max_length=len(FIELDS))] = []


class LimitView(Struct):
    """
    One limit that holds, and what is left of it.

    @ivar left: C{null} while the store of limits cannot be asked.
    @ivar resets_at: when all of it is there again; C{null} for a budget without end.
    """

    limit: str
    value: int | str
    left: int | str | None
    resets_at: Annotated[datetime, Meta(tz=True)] | None
    source: str
    window: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET


def said(fields: LimitFields) -> dict[str, Any]:
    """What a request states, by the names of fields."""
    values: dict[str, Any] = to_builtins(fields)
    return {name: values[name] for name in FIELDS if name in values}


def stated(limits: UsageLimits) -> dict[str, Any]:
    """Keyword arguments of a view."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in written(limits).items()}


def view_of_left(left: Left) -> LimitView:
    """As JSON shows it: money is a decimal text."""
    rule = left.rule
    is_money = rule.kind == "money"
    return LimitView(
        rule.source.partition(" ")[0] if is_money else _NAMES[rule.kind],
        amount_text(rule.limit) if is_money else rule.limit,
        amount_text(left.amount) if is_money and left.amount is not None else left.amount,
        None if left.resets_at is None else datetime.fromtimestamp(left.resets_at, timezone.utc),
        rule.source,
        rule.window or UNSET,
        str(rule.zone) if is_money else UNSET,
    )


def amount_text(steps: int) -> str:
    """USD as a decimal text, of the steps that limits count in."""
    sign, steps = ("-", -steps) if steps < 0 else ("", steps)
    whole, rest = divmod(steps, PICO)
    return f"{sign}{whole}.{rest:012}".rstrip("0").rstrip(".")
