"""C{llmproxy openai chat}: the name that the reference has for C{llmproxy chat}."""

from __future__ import annotations

import click

from .chat import command as chat


@click.group(hidden=True)
def command() -> None:
    """The same as llmproxy chat."""


command.add_command(chat, "chat")
