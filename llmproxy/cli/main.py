"""The group of commands, each in a module of its own that is imported when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from .. import __version__
from .goflags import rewritten
from .oldnames import is_old_name

COMMANDS = {
    "admin": "Admins of the management API: create, list, revoke.",
    "admin-ui": "Serve the admin pages in a process of their own.",
    "agents": "Claude Code and Codex: what to paste, or write, to use the proxy.",
    "audit": "The audit log: list, show, export, verify.",
    "auth": "The sign-in of this user: give its token to programs.",
    "benchmark": "Compare a gateway with its upstream.",
    "breaker": "Circuit breakers: which upstreams get no requests, and why.",
    "cache": "The cache: show statistics, purge entries.",
    "chat": "Talk to a model through the proxy.",
    "check": "Validate a configuration without starting.",
    "completion": "Print a completion script for a shell.",
    "db": "The database: upgrade, current, backup, restore, copy.",
    "debug-bundle": "Put together what those need who are to help, without a secret.",
    "demo-upstream": "Serve an OpenAI-shaped upstream of our own.",
    "doctor": "Look at all that a proxy needs, and say what to mend.",
    "dispatcher": "Deliver events from Redis Streams to files and services.",
    "encryption": "Upstream keys at rest: status, migrate, rotate.",
    "healthcheck": "Whether a proxy of this machine answers, for containers.",
    "login": "Sign in at a proxy, in a browser.",
    "logout": "Sign out at a proxy.",
    "people": "People who sign in: list, show, shut out, export, delete.",
    "prices": "Prices: show, find what has none, give what was used other costs.",
    "project": "Projects: create, list, change, deactivate.",
    "quickstart": "Start a working proxy with nothing else needed.",
    "reload": "Have a running proxy read its configuration again.",
    "serve": "Serve the APIs of a configuration, in the foreground.",
    "setup": "Write a configuration, and make the first project and token.",
    "sinks": "Sinks of events: how they are, send one a test.",
    "top": "Watch what a running proxy does, in a terminal.",
    "token": "Tokens: create, list, change, revoke, rotate.",
    "upgrade": "Have the new program take over from a running proxy, without a gap.",
    "upstreams": "Upstreams: how they are, drain one, undrain it.",
    "usage": "Usage and cost: by day, project, model and more; single records.",
    "version": "Print the versions of llmproxy and its dependencies.",
}

ALIASES = {
    "manage": "Projects, tokens and the cache, with the output that llm-proxy has.",
    "migrate": "The schema of the database, and its keys at rest.",
    "openai": "Talk to a model through the proxy.",
    "server": "Serve the APIs of a configuration, in the background too.",
}
"""Commands under the names that they have in the Go program; only the help of C{llm-proxy} lists them."""


class Lazy(click.Group):
    """Knows the names of its commands; C{--help} of the group imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, rewritten(self, args))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS and cmd_name not in ALIASES:
            return None
        module = import_module(f"llmproxy.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))
        if is_old_name(ctx):
            with formatter.section("As in the Go program"):
                formatter.write_dl(sorted(ALIASES.items()))


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="llmproxy")
@click.option("--manage-api-base-url", metavar="URL", help="Where the proxy is, for commands that ask it.")
def cli(manage_api_base_url: str | None) -> None:
    """A transparent reverse proxy for LLM APIs.

    Under twistd the proxy is started with: twistd -n llmproxy --config apis.yaml

    \b
    Commands end with 0 when all is done, 1 for an error, 2 for an error of use, 3 if
    something was not found, 4 if the server refused, 5 if it cannot be reached or
    cannot answer for now, 6 for a conflict with what is there.
    """
