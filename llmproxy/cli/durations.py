"""Durations on the command line: those of the configuration, and days."""

from __future__ import annotations

import click

from ..config.units import parse_duration


def seconds_of(text: str) -> float:
    """
    C{90s}, C{12h}, C{30d}; a plain number is seconds.

    @raise ValueError: it is none.
    """
    if text.endswith("d") and text[:-1].isascii() and text[:-1].isdecimal():
        return int(text[:-1]) * 86_400
    return parse_duration(text)


def minutes(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """C{1440}, as the reference counts in minutes, or with a unit."""
    if value is None:
        return None
    try:
        seconds = int(value) * 60 if value.isascii() and value.isdecimal() else seconds_of(value)
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
        return int(seconds_of(value))
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None
