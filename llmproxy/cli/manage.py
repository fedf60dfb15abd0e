"""C{llmproxy manage …}: the names that those who come from the reference have in their scripts."""

from __future__ import annotations

from importlib import import_module

import click

from .oldnames import print_old_lines, read_dotenv

_GROUPS = ("project", "token", "cache", "audit")


class _Named(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_GROUPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _GROUPS:
            return None
        try:
            group: click.Group = import_module(f"llmproxy.cli.{cmd_name}").command
        except ModuleNotFoundError:
            return None
        if cmd_name == "token":
            group.add_command(_generate(group), "generate")
        return group


def _generate(group: click.Group) -> click.Command:
    """C{token create}, hidden under another name."""
    from copy import copy

    made = copy(group.commands["create"])
    made.name, made.hidden = "generate", True
    return made


@click.command(cls=_Named, hidden=True)
@click.pass_context
def command(context: click.Context) -> None:
    """The same as without `manage`: llmproxy project, llmproxy token, llmproxy cache, llmproxy audit.

    `manage token generate` is `token create`. What is printed is what the Go program prints, a line for each field, and
    MANAGEMENT_TOKEN may stand in the file .env here.
    """
    print_old_lines(context)
    read_dotenv(context, ".env")
