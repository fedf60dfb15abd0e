"""C{llmproxy completion}: for bash, zsh and fish."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands and options.

    \b
    Examples:
      llmproxy completion bash > ~/.local/share/bash-completion/completions/llmproxy
      llmproxy completion zsh > ~/.zfunc/_llmproxy
      llmproxy completion fish > ~/.config/fish/completions/llmproxy.fish
    """
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(ctx.find_root().command, {}, "llmproxy", "_LLMPROXY_COMPLETE").source())
