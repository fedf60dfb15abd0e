"""C{llmproxy breaker}."""

from __future__ import annotations

import click

from .management import Management
from .output import Output
from .target import management_options

COLUMNS = ("api", "project", "model", "state", "failures", "retry after", "process", "reason")


@click.group()
def command() -> None:
    """The circuit breakers: which upstreams get no requests for now, and why.

    \b
    Examples:
      llmproxy breaker list
      llmproxy breaker list --json
    """


@command.command("list")
@management_options
def show(api: Management, output: Output) -> None:
    """List circuits that are open or have counted failures, of all workers.

    \b
    Examples:
      llmproxy breaker list
      llmproxy breaker list --json
    """
    found = api.get("/breaker")
    rows = [
        (
            each["api"],
            each["project_id"],
            each["model"],
            each["state"],
            each["failures"],
            f"{each['retry_after']:.0f}s" if each["state"] == "open" else None,
            each["process"],
            each["reason"],
        )
        for each in found
    ]
    output.table(found, COLUMNS, rows, "All circuits are closed.")
