"""Every command with its options, from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from llmproxy.cli.main import COMMANDS, cli
from llmproxy.cli.target import OPTIONS
from llmproxy.tap import Options

from .tables import cell, code, table

Path = tuple[str, ...]


def commands(group: click.Group = cli, path: Path = ()) -> Iterator[tuple[Path, click.Command]]:
    """Every command that help lists, each group before those in it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if command.hidden:
            continue
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def options(command: click.Command) -> Iterator[tuple[str, str]]:
    """The names of each option, as they are typed, and what help says of it."""
    context = click.Context(command, info_name="")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            record = parameter.get_help_record(context)
            assert record is not None
            yield code(record[0]), record[1]


_SHARED = {option for decorator in OPTIONS for option in click.command()(decorator(lambda: None)).params}
SHARED = {each.name for each in _SHARED if isinstance(each, click.Option) and not each.hidden}
"""The options of every command that asks a running proxy: they stand on the page once."""


def _asks(command: click.Command) -> bool:
    return {each.name for each in command.params} >= SHARED


def listed() -> str:
    """Every command, with the options that are its own."""
    shared = next(command for _, command in commands() if _asks(command))
    rows = [(names, cell(text)) for names, text in _options(shared, own=False)]
    parts = ["### Options of commands that ask a running proxy\n\n" + table(("option", ""), rows)]
    parts += [_section(path, command) for path, command in commands()]
    return "\n".join(parts)


def _options(command: click.Command, *, own: bool) -> Iterator[tuple[str, str]]:
    asks = _asks(command)
    known = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    for parameter, pair in zip(known, options(command), strict=True):
        if (asks and parameter.name in SHARED) is not own:
            yield pair


def _section(path: Path, command: click.Command) -> str:
    name = " ".join(("llmproxy", *path))
    lead = COMMANDS[path[0]] if len(path) == 1 and isinstance(command, click.Group) else _lead(command)
    parts = [f"### {name}\n\n{cell(lead)}\n"]
    if isinstance(command, click.Group) and not command.invoke_without_command:
        return "\n".join(parts)
    usage = " ".join(command.collect_usage_pieces(click.Context(command, info_name=name)))
    parts.append(
        f"`{name} {usage}`" + (", and the options of those that ask a running proxy\n" if _asks(command) else "\n")
    )
    rows = [(names, cell(text)) for names, text in _options(command, own=True)]
    if rows:
        parts.append(table(("option", ""), rows))
    return "\n".join(parts)


def _lead(command: click.Command) -> str:
    """What help says before its examples, without the first indented block."""
    text = re.split(r"\x08|\nExamples?:", command.help or "", maxsplit=1)[0]
    return " ".join(text.split())


def twistd() -> str:
    """The options of C{twistd llmproxy}, which C{llmproxy serve} has too."""
    made = Options()
    rows = []
    for name, short, default, text in made.optParameters:
        rows.append((_names(name, short, " VALUE"), cell(text) + (f" (default {default})" if default else "")))
    rows += [(_names(name, short, ""), cell(text)) for name, short, text in made.optFlags]
    for name in sorted(dir(made)):
        if name.startswith("opt_") and type(made) is _owner(type(made), name):
            option = name.removeprefix("opt_").replace("_", "-")
            rows.append((code(f"--{option} VALUE"), cell(getattr(made, name).__doc__ or "")))
    return table(("option", ""), sorted(rows))


def _owner(kind: type, name: str) -> type:
    return next(each for each in kind.__mro__ if name in vars(each))


def _names(name: str, short: str | None, value: str) -> str:
    return code((f"-{short}, " if short else "") + f"--{name}{value}")
