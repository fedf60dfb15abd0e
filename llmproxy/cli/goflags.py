"""Flags as Go's programs take them, C{--stream=false}: rewritten for commands whose flags take no value."""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

_FLAG = re.compile(r"(--?[A-Za-z][A-Za-z0-9-]*)=(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)")
"""A flag with a value that C{strconv.ParseBool} reads."""

_YES = frozenset(("1", "t", "T", "TRUE", "true", "True"))


def rewritten(group: click.Group, arguments: Sequence[str]) -> list[str]:
    """
    The same arguments, without values for flags: C{--stream=false} is C{--no-stream}, C{--json=true} C{--json}. What
    is no flag of the command that is called stays as it is.

    @param group: where the first of them is looked up.
    """
    given = list(arguments)
    if not any(map(_FLAG.fullmatch, given)):
        return given
    found: list[str] = []
    command: click.Command = group
    context = click.Context(group)
    while given:
        word = given.pop(0)
        if word == "--":
            return [*found, word, *given]
        if word.startswith("-") and word != "-":
            found += _as_flag(command, word)
            if given and "=" not in word and _takes_value(command, word):
                found.append(given.pop(0))
            continue
        found.append(word)
        inner = command.get_command(context, word) if isinstance(command, click.Group) else None
        if inner is not None:
            command, context = inner, click.Context(inner, parent=context)
    return found


def _option(command: click.Command, name: str) -> click.Option | None:
    for parameter in command.params:
        if isinstance(parameter, click.Option) and name in (*parameter.opts, *parameter.secondary_opts):
            return parameter
    return None


def _takes_value(command: click.Command, name: str) -> bool:
    option = _option(command, name)
    return option is not None and not option.is_flag and not option.count


def _as_flag(command: click.Command, word: str) -> list[str]:
    match = _FLAG.fullmatch(word)
    option = None if match is None else _option(command, match[1])
    if match is None or option is None or not option.is_bool_flag:
        return [word]
    name, wanted = match[1], match[2] in _YES
    if name in option.secondary_opts:
        return [name if wanted else option.opts[0]]
    if wanted:
        return [name]
    # A flag without an opposite is off where it is not said.
    return option.secondary_opts[:1]
