"""C{llmproxy setup}: a configuration to keep, and the first project and token."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import click
from attrs import evolve

from ..config.units import parse_duration
from ..providers.registry import SETUPS
from .faults import Conflicting
from .output import Output, warn
from .secretinput import secret_of_options
from .setup_files import (
    DEFAULT_ADDRESS,
    DEFAULT_APIS,
    DEFAULT_DATABASE,
    Plan,
    carry_out,
    names_database,
    variables_set,
)


def lifetime(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """C{24} is hours, as the reference has it here; or with a unit."""
    try:
        seconds = int(value) * 3600 if value.isascii() and value.isdecimal() else parse_duration(value)
    except ValueError:
        words = f"expected hours, or a duration such as 90m or 30d, got {value!r}"
        raise click.BadParameter(words, context, parameter) from None
    if not 60 <= seconds <= 365 * 86_400:
        raise click.BadParameter("expected something between a minute and a year", context, parameter)
    return seconds


@click.command()
@click.option(
    "--config",
    envvar="CONFIG",
    default=".env",
    show_default=True,
    metavar="FILE",
    help="Where the variables go, 0600. [CONFIG]",
)
@click.option("--apis", default="", metavar="FILE", help=f"The APIs. [API_CONFIG_PATH, else {DEFAULT_APIS}]")
@click.option("--provider", type=click.Choice(sorted(SETUPS)), default="openai", show_default=True)
@click.option("--base-url", metavar="URL", help="Another address of the provider, without /v1.")
@click.option(
    "--api-key", "--openai-key", "api_key", is_flag=False, flag_value="", metavar="-", help="- reads standard input."
)
@click.option("--api-key-file", metavar="FILE", help="Holds the provider's key. [UPSTREAM_API_KEY, OPENAI_API_KEY]")
@click.option("--management-token", hidden=True)
@click.option("--db", default="", metavar="FILE", help=f"The SQLite database. [DATABASE_PATH, else {DEFAULT_DATABASE}]")
@click.option("--addr", default="", metavar="ADDRESS", help=f"Where to listen. [LISTEN_ADDR, else {DEFAULT_ADDRESS}]")
@click.option(
    "--project",
    envvar="PROJECT",
    default="DefaultProject",
    show_default=True,
    help="The name of the first project. [PROJECT]",
)
@click.option(
    "--duration",
    envvar="DURATION",
    callback=lifetime,
    default="30d",
    show_default=True,
    help="Of the first token: hours, or 90m, 30d. [DURATION]",
)
@click.option("--token-file", metavar="FILE", help="Where the first token goes, 0600, instead of being shown.")
@click.option("--skip-project", envvar="SKIP_PROJECT", is_flag=True, help="No project and no token. [SKIP_PROJECT]")
@click.option(
    "--interactive/--non-interactive", envvar="INTERACTIVE", default=None, help="Ask. [INTERACTIVE; yes, in a terminal]"
)
@click.option("--force", is_flag=True, help="Change files that are there; secrets in them are kept all the same.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(interactive: bool | None, as_json: bool, force: bool, **options: Any) -> None:
    """Write a configuration, and make the first project and its token.

    It asks for what it needs; with --non-interactive the options and their defaults decide. Management token and
    encryption key are made, or kept if the file has them already, or if they are set in the environment: what is set
    there counts for the proxy too, and is written into the file.

    \b
    Examples:
      llmproxy setup
      llmproxy setup --non-interactive --api-key-file key.txt --token-file token.txt
      pass show anthropic | llmproxy setup --provider anthropic --api-key - --non-interactive
    """
    output = Output(as_json)
    asking = sys.stdin.isatty() if interactive is None else interactive
    key, path, token = options.pop("api_key"), options.pop("api_key_file"), options.pop("management_token")
    if token:
        warn("everybody on this machine can see --management-token; MANAGEMENT_TOKEN sets it too, and one is made else")
    plan = Plan(**options, management_token=token or "")
    known = variables_set(plan.config, os.environ)
    plan = evolve(plan, apis=plan.apis or known.get("API_CONFIG_PATH") or DEFAULT_APIS)
    if plan.db and names_database(known):
        raise Conflicting("DATABASE_URL is set, and stands above --db: unset it, or leave --db out")
    if asking:
        plan = _asked(plan, known)
    there = [each for each in (plan.config, plan.apis) if os.path.exists(each)]
    if there and not force and not (asking and click.confirm(f"{' and '.join(there)}: change?", err=True)):
        raise Conflicting(f"{' and '.join(there)}: there already; --force changes it and keeps its secrets")
    if not plan.skip_project:
        what = f"API key of {plan.provider}"
        variable = "UPSTREAM_API_KEY" if os.environ.get("UPSTREAM_API_KEY") else _variable_of(plan.provider)
        plan = evolve(plan, api_key=secret_of_options(key, path, variable, "api-key", what))
    done = carry_out(plan, known)
    if as_json:
        output.json(done.plain())
    for line in done.words():
        output.say(line)


def _variable_of(provider: str) -> str:
    """OPENAI_API_KEY is another provider's key for none of the others."""
    known = provider == "openai" and os.environ.get("OPENAI_API_KEY")
    return "OPENAI_API_KEY" if known else "UPSTREAM_API_KEY"


def _asked(plan: Plan, known: Mapping[str, str]) -> Plan:
    """The same plan, as its owner wants it."""

    def ask(words: str, default: str) -> str:
        answer: str = click.prompt(words, default=default, err=True)
        return answer

    provider = click.prompt("Provider", type=click.Choice(sorted(SETUPS)), default=plan.provider, err=True)
    plan = evolve(
        plan,
        provider=provider,
        addr=ask("Listen at", plan.addr or known.get("LISTEN_ADDR") or DEFAULT_ADDRESS),
        db="" if names_database(known) else ask("Database", plan.db or known.get("DATABASE_PATH") or DEFAULT_DATABASE),
    )
    if not plan.skip_project:
        plan = evolve(plan, project=ask("Name of the first project", plan.project))
    return plan
