"""Options that state the limits of a token or a project, and how limits are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from .output import moment

F = TypeVar("F", bound=Callable[..., Any])

NO_LIMIT = "none"
UNSAID = "default"

_COUNTS = {
    "rpm_limit": "Requests in a minute.",
    "tpm_limit": "Tokens in a minute.",
    "max_parallel_requests": "Requests at once.",
}
_TEXTS = {
    "max_budget": "USD in each --budget-duration.",
    "budget_duration": "1h, 1d, 7d, 1mo by the calendar, or total.",
    "soft_budget": "USD from which on there are warnings.",
    "over_budget": "refuse, warn or downgrade.",
}
_LISTS = {
    "models": ("--model", "A model that may be used, or a pattern such as 'gpt-4o*'; repeatable."),
    "apis": ("--allow-api", "An API that may be asked; repeatable."),
    "endpoints": ("--endpoint", "A path that may be asked, below its API; repeatable."),
    "source_addresses": ("--source-address", "A network that callers may come from, such as 10.0.0.0/8; repeatable."),
}
_FIELDS = (*_COUNTS, *_TEXTS, "hard_budget", "downgrade", *_LISTS)


def limit_options(command: F) -> F:
    """
    Options for all limits, which the command gets as the keyword argument of their field's name. For each C{none} is no
    limit, and C{default} says nothing, so that the default of the configuration holds.
    """
    for name, words in reversed((*_COUNTS.items(), *_TEXTS.items())):
        check = _count if name in _COUNTS else None
        command = click.option(f"--{name.replace('_', '-')}", name, callback=check, help=words)(command)
    hard = click.Choice(["true", "false", NO_LIMIT, UNSAID])
    command = click.option("--hard-budget", type=hard, help="Cut streams when the budget is used up.")(command)
    replaced = "With --over-budget downgrade: which model is asked instead; repeatable."
    command = click.option("--downgrade", multiple=True, metavar="MODEL=MODEL", help=replaced)(command)
    for name, (option, words) in reversed(_LISTS.items()):
        command = click.option(option, name, multiple=True, help=words)(command)
    return command


def limits_of(given: dict[str, Any]) -> dict[str, Any]:
    """
    Take the limits out of what a command was called with; in the form that the API has them.

    @raise click.UsageError: one is given in two ways.
    """
    values = {name: given.pop(name) for name in _FIELDS}
    said: dict[str, Any] = {}
    for name, value in values.items():
        alone = value[0] if isinstance(value, tuple) and len(value) == 1 else value
        if alone in (NO_LIMIT, UNSAID):
            said[name] = alone
        elif isinstance(value, tuple) and value:
            said[name] = _listed(name, value)
        elif value is not None and value != ():
            said[name] = value == "true" if name == "hard_budget" else value
    found = {name: None if value == NO_LIMIT else value for name, value in said.items() if value != UNSAID}
    unset = [name for name, value in said.items() if value == UNSAID]
    return {**found, **({"unset_limits": unset} if unset else {})}


def new_limits_of(given: dict[str, Any]) -> dict[str, Any]:
    """The same for what is made now, of which nothing has been said."""
    said = limits_of(given)
    said.pop("unset_limits", None)
    return said


def rows_of(shown: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What there is to show of the limits of a token or a project."""
    rows: list[tuple[str, Any]] = []
    for name in _FIELDS:
        if name in shown:
            rows.append((name, "no limit" if shown[name] is None else _text(shown[name])))
    for each in shown.get("limits_left", ()):
        rows.append((f"{each['limit']} left", f"{_left(each)} of {each['value']} ({each['source']})"))
    if "budget_reset_at" in shown:
        rows.append(("Budget set back", moment(shown["budget_reset_at"])))
    return rows


def _count(context: click.Context, parameter: click.Parameter, value: str | None) -> int | str | None:
    if value is None or value in (NO_LIMIT, UNSAID):
        return value
    if not (value.isascii() and value.isdecimal()):
        raise click.BadParameter(f"expected a whole number, {NO_LIMIT} or {UNSAID}", context, parameter)
    return int(value)


def _listed(name: str, values: tuple[str, ...]) -> Any:
    if NO_LIMIT in values or UNSAID in values:
        raise click.UsageError(f"{name}: {NO_LIMIT} and {UNSAID} stand alone")
    if name != "downgrade":
        return list(values)
    pairs = [value.partition("=") for value in values]
    if not all(one and equals and other for one, equals, other in pairs):
        raise click.UsageError("--downgrade: expected MODEL=MODEL")
    return {one: other for one, _, other in pairs}


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = [f"{one}: {other}" for one, other in value.items()]
    if isinstance(value, list):
        return ", ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _left(shown: Mapping[str, Any]) -> str:
    amount = "?" if shown["left"] is None else str(shown["left"])
    return amount if shown["resets_at"] is None else f"{amount} until {moment(shown['resets_at'])}"
