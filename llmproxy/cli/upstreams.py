"""C{llmproxy upstreams}."""

from __future__ import annotations

from typing import Any

import click

from .management import Management, segment
from .output import Output
from .target import management_options

COLUMNS = (
    "api",
    "upstream",
    "health",
    "in flight",
    "requests",
    "failed",
    "latency",
    "ejections",
    "retries",
    "fallback",
    "keys aside",
    "open circuits",
)

_api = click.argument("name", metavar="API")
_upstream = click.argument("upstream", metavar="UPSTREAM", required=False)


@click.group()
def command() -> None:
    """The upstreams of all APIs: how they are, and draining one by hand.

    \b
    Examples:
      llmproxy upstreams list
      llmproxy upstreams drain openai azure
      llmproxy upstreams undrain openai azure
    """


@command.command("list")
@management_options
def show(api: Management, output: Output) -> None:
    """List all upstreams, as all workers see them. What is not counted is shown as -.

    \b
    Examples:
      llmproxy upstreams list
      llmproxy upstreams list --json
    """
    found = api.get("/upstreams")
    output.table(found, COLUMNS, map(_row, found), "There are no APIs.", numbers=range(3, len(COLUMNS)))


@command.command("drain")
@_api
@_upstream
@management_options
def drain(api: Management, output: Output, name: str, upstream: str | None) -> None:
    """Let nothing more go to an upstream, in all workers, until it is undrained or the proxy starts again.

    \b
    Examples:
      llmproxy upstreams drain openai azure
    """
    _change(api, output, name, upstream, "drain")


@command.command("undrain")
@_api
@_upstream
@management_options
def undrain(api: Management, output: Output, name: str, upstream: str | None) -> None:
    """Let requests go to an upstream again.

    \b
    Examples:
      llmproxy upstreams undrain openai azure
    """
    _change(api, output, name, upstream, "undrain")


def _change(api: Management, output: Output, name: str, upstream: str | None, word: str) -> None:
    found = api.post(f"/upstreams/{segment(name)}/{segment(upstream or name)}/{word}")
    running = found["in_flight"]
    rest = f"; {running} running there end as they would" if word == "drain" and running else ""
    until = ", until it is undrained or the proxy starts again" if word == "drain" else ""
    output.say(f"{found['api']} {found['upstream']} is {word}ed{until}{rest}.", found)


def _row(each: Any) -> tuple[Any, ...]:
    latency, left = each["latency"], each["ejected_for"]
    return (
        each["api"],
        each["upstream"],
        f"{each['health']} ({left:.0f}s)" if each["health"] == "ejected" else each["health"],
        each["in_flight"],
        each["requests"],
        each["failed"],
        None if latency is None else f"{latency * 1000:.0f}ms",
        each["ejections"],
        each["retries"],
        each["fallbacks"],
        each["keys_aside"],
        each["circuits"]["open"] + each["circuits"]["models"],
    )
