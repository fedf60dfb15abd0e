"""
Limits in forms: what a person types, as the API takes it, and back.

An empty field says nothing, so that the default of the configuration holds; C{none} is no limit, whatever the default
is; anything else is the limit. Whether it can be one, the API decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from .visit import Form

NONE = "none"

_GROUPED = re.compile(r"[1-9][0-9]{0,2}([,.'\u2019])[0-9]{3}(?:\1[0-9]{3})*")


@frozen
class Field:
    """
    @ivar kind: C{count}, C{money}, C{duration}, C{choice}, C{list} or C{pairs}.
    @ivar hint: a sentence below it.
    @ivar choices: values and their words, for C{choice}.
    """

    name: str
    label: str
    kind: str
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()


FIELDS = (
    Field("rpm_limit", "Requests a minute", "count"),
    Field("tpm_limit", "Tokens a minute", "count", "Input and output together."),
    Field("max_parallel_requests", "Requests at once", "count"),
    Field("max_budget", "Budget in USD", "money", "What may be spent in each period."),
    Field(
        "budget_duration",
        "Period of the budget",
        "choice",
        "When the budget begins anew.",
        (("1h", "an hour"), ("1d", "a day"), ("7d", "7 days"), ("1mo", "a month"), ("total", "never")),
    ),
    Field("soft_budget", "Warn from, in USD", "money", "Nothing is refused from there on."),
    Field(
        "over_budget",
        "When the budget is used up",
        "choice",
        choices=(("refuse", "refuse"), ("warn", "warn and go on"), ("downgrade", "ask another model")),
    ),
    Field(
        "hard_budget",
        "Cut streams that cost too much",
        "choice",
        "A model without a price is refused then.",
        (("true", "yes"), ("false", "no")),
    ),
    Field("models", "Models", "list", "One a line; patterns such as gpt-4o* too."),
    Field("apis", "APIs", "list", "One a line."),
    Field("endpoints", "Endpoints", "list", "One a line, such as /v1/chat/completions."),
    Field("source_addresses", "Addresses of callers", "list", "One a line; networks such as 10.0.0.0/8 too."),
    Field("downgrade", "Models in place of others", "pairs", "One a line: gpt-5 = gpt-5-mini."),
)
MAIN = tuple(each for each in FIELDS if each.name in ("rpm_limit", "tpm_limit", "max_budget", "budget_duration"))
MORE = tuple(each for each in FIELDS if each not in MAIN)
NAMES = tuple(each.name for each in FIELDS)


def stated(form: Form) -> dict[str, Any]:
    """The limits that a form states, by the API's names; those of which it says nothing are left out."""
    found = {}
    for each in FIELDS:
        text = form.text(each.name)
        if text:
            found[each.name] = None if text.lower() == NONE else _value(each, text)
    return found


def changed(form: Form) -> dict[str, Any]:
    """The same for a change: C{unset_limits} names those of which it says nothing any more."""
    found = stated(form)
    return {**found, "unset_limits": [name for name in NAMES if name in form.values and name not in found]}


def texts(view: Mapping[str, Any]) -> dict[str, str]:
    """
    What stands in the fields of a form.

    @param view: a project or a token, as the API shows it.
    """
    return {each.name: _text(view[each.name]) if each.name in view else "" for each in FIELDS}


def _value(field: Field, text: str) -> Any:
    if field.kind == "count":
        digits = ungrouped(text)
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 30 else text
    if field.kind == "money":
        return "".join(text.upper().removeprefix("$").removesuffix("USD").split()) or text
    if field.kind == "list":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if field.kind == "pairs":
        pairs = (line.partition("=") for line in text.splitlines() if line.strip())
        return {name.strip(): value.strip() for name, _, value in pairs}
    if field.name == "hard_budget":
        return text == "true"
    return text


def ungrouped(text: str) -> str:
    """
    A whole number as people write it, without what is between its groups of three digits: C{1,000}, C{1.000}, C{1 000},
    C{1'000}; anything else as it is.
    """
    text = "".join(text.split()).replace("_", "")
    return "".join(filter(str.isdigit, text)) if _GROUPED.fullmatch(text) else text


def _text(value: Any) -> str:
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "\n".join(map(str, value))
    if isinstance(value, dict):
        return "\n".join(f"{name} = {other}" for name, other in value.items())
    return str(value)
