"""Durations on the command line: the grammar of the configuration, as options of commands."""

from __future__ import annotations

import click

from ..config.units import parse_duration


def minutes(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """C{1440}, as the reference counts in minutes, or with a unit."""
    if value is None:
        return None
    try:
        seconds = int(value) * 60 if value.isascii() and value.isdecimal() else parse_duration(value)
    except ValueError:
        words = f"expected minutes, or a duration such as 12h or 30d, got {value!r}"
        raise click.BadParameter(words, context, parameter) from None
    if seconds < 60:
        raise click.BadParameter("at least a minute", context, parameter)
    return int(seconds // 60)


def seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Whole seconds."""
    if value is None:
        return None
    try:
        return int(parse_duration(value))
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None
