"""C{llmproxy reload}."""

from __future__ import annotations

import click

from .management import Management
from .output import Output
from .target import management_options


@click.command()
@management_options
def command(api: Management, output: Output) -> None:
    """Have a running proxy read its configuration again.

    New requests see the new one, in all workers; what is running goes on with the one that it began with. If anything
    is wrong, everything stays as it was, and all of it is named. It takes an owner. SIGHUP does the same where the
    proxy runs without a terminal, and says in the log what came of it.

    \b
    Examples:
      llmproxy reload
      llmproxy reload --json
    """
    found = api.post("/config/reload")
    changed, late = found["changed"], found["needs_restart"]
    lines = [f"changed: {', '.join(changed)}" if changed else "nothing of it has changed"]
    if late:
        lines.append(f"takes effect at the next start only: {', '.join(late)}")
    output.say("; ".join(lines), found)
