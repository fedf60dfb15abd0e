"""C{llmproxy agents}: the configuration of coding agents that ask through the proxy."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from ..core.agentsetup import (
    TOKEN_FIELD,
    TOKEN_VARIABLE,
    AgentSetup,
    Credential,
    claude_gateway,
    claude_settings,
    codex_settings,
)
from . import agentfiles
from .http import parse_address
from .output import warn

DEFAULT_URL = "http://localhost:8080"


@click.group()
def command() -> None:
    """What to paste into the configuration of a coding agent, or write there: `--write`.

    No secret is printed or written: the token is in the environment, in a file of yours, or comes of llmproxy login.

    \b
    Examples:
      llmproxy agents claude --url https://proxy.example
      llmproxy agents codex --url https://proxy.example --write
    """


def _options(api: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Those of all agents, given on as C{setup} and C{path}."""

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def asked(url: str | None, token_file: str | None, **options: Any) -> Any:
            sign_in, own = options.pop("sign_in"), options.pop("own_credential")
            write, path = options.pop("write"), options.pop("path")
            setup = _setup(url, options.pop("api"), options.pop("model"), token_file, sign_in, own, write)
            return command(setup=setup, token_file=token_file, path=path, write=write or path is not None, **options)

        given = (
            click.option("--url", metavar="URL", help=f"Where the proxy is. [LLMPROXY_URL, else {DEFAULT_URL}]"),
            click.option("--api", default=api, show_default=True, metavar="NAME", help='"" is the default API.'),
            click.option("--model", default="", metavar="NAME", help="The model that it begins with."),
            click.option("--sign-in", is_flag=True, help="The token is that of llmproxy login."),
            click.option("--token-file", metavar="FILE", help="The token is in this file."),
            click.option(
                "--own-credential",
                is_flag=True,
                help=f"The user's own credential goes on; our token is in {TOKEN_FIELD}.",
            ),
            click.option("--write", is_flag=True, help="Write it into the configuration of this user."),
            click.option("--file", "path", metavar="FILE", help="Write it into this file."),
        )
        for option in reversed(given):
            asked = option(asked)
        return asked

    return decorated


@command.command()
@_options("anthropic")
@click.option("--gateway", is_flag=True, help="People sign in by /login of Claude Code: managed-settings.json.")
def claude(setup: AgentSetup, token_file: str | None, path: str | None, write: bool, gateway: bool) -> None:
    """Configure Claude Code: settings.json.

    \b
    Examples:
      llmproxy agents claude --url https://proxy.example
      llmproxy agents claude --url https://proxy.example --sign-in --write
      sudo llmproxy agents claude --url https://proxy.example --gateway --write
    """
    if gateway:
        _check_gateway(setup)
    settings = claude_gateway(setup) if gateway else claude_settings(setup)
    where = agentfiles.claude_managed_file() if gateway else agentfiles.claude_file()
    if write:
        text = _write(path or where, agentfiles.with_json, settings, gateway)
        left = agentfiles.left_in(text)
        if left:
            warn(f"{' and '.join(left)} in env of this file is what Claude Code sends in place of this token")
    else:
        _say(f"# {where}")
        click.echo(agentfiles.as_json(settings), nl=False)
    if gateway:
        _say("then: claude, /login")
    elif setup.credential == "own":
        _say(f'export ANTHROPIC_CUSTOM_HEADERS="{TOKEN_FIELD}: {_secret(token_file)}"')
    elif setup.credential == "variable":
        _say(f'export ANTHROPIC_AUTH_TOKEN="{_secret(None)}"')


def _check_gateway(setup: AgentSetup) -> None:
    """
    @raise click.UsageError: Claude Code would not sign in there.
    """
    if setup.credential != "variable":
        raise click.UsageError("--gateway goes with none of --sign-in, --token-file and --own-credential")
    address = parse_address(setup.url)
    if address.scheme != "https" and not address.local:
        raise click.UsageError("--gateway: Claude Code signs in by https:// alone, but on this machine")


@command.command()
@_options("openai")
def codex(setup: AgentSetup, token_file: str | None, path: str | None, write: bool) -> None:
    """Configure Codex: config.toml.

    \b
    Examples:
      llmproxy agents codex --url https://proxy.example
      llmproxy agents codex --url https://proxy.example --token-file ~/.llmproxy-token --write
    """
    settings = codex_settings(setup)
    if write:
        _write(path or agentfiles.codex_file(), agentfiles.with_toml, settings)
    else:
        _say(f"# {agentfiles.codex_file()}")
        click.echo(agentfiles.as_toml(settings), nl=False)
    if setup.credential != "command":
        _say(f'export {TOKEN_VARIABLE}="{_secret(token_file)}"')


def _write(
    path: str, change: Callable[[str, Mapping[str, Any]], str], settings: Mapping[str, Any], for_all: bool = False
) -> str:
    changed, text = agentfiles.write_into(path, lambda before: change(before, settings), for_all)
    _say(f"# {path}: {'written' if changed else 'is so already'}")
    return text


def _say(line: str) -> None:
    """What is for people, beside what goes into the file."""
    click.echo(line, err=True)


def _secret(token_file: str | None) -> str:
    return "$(cat token.txt)" if token_file is None else f"$(cat {shlex.quote(os.path.abspath(token_file))})"


def _setup(
    url: str | None, api: str, model: str, token_file: str | None, sign_in: bool, own: bool, write: bool
) -> AgentSetup:
    if sign_in and (token_file is not None or own):
        raise click.UsageError("--sign-in goes with neither --token-file nor --own-credential")
    address = (url or os.environ.get("LLMPROXY_URL", "").strip() or DEFAULT_URL).rstrip("/")
    try:
        parsed = parse_address(address)
    except ValueError as error:
        raise click.UsageError(f"--url: {error}") from None
    if parsed.socket:
        raise click.UsageError("--url: coding agents do not ask at Unix sockets")
    if "/" in api or not api.isprintable():
        raise click.UsageError("--api: expected the name of an API")
    if parsed.scheme == "http" and not parsed.local:
        warn(f"{address}: tokens are sent without encryption")
    credential: Credential = "variable"
    said: tuple[str, ...] = ()
    if own:
        credential = "own"
    elif sign_in:
        credential, said = "command", (*_ourselves(write), "auth", "print-token", "--url", address)
    elif token_file is not None:
        credential, said = "command", ("cat", os.path.abspath(os.path.expanduser(token_file)))
    return AgentSetup(address, api, credential, said, model)


def _ourselves(write: bool) -> tuple[str, ...]:
    """How an agent calls this program: on this machine by its whole path, elsewhere by its name."""
    if not write:
        return ("llmproxy",)
    found = shutil.which("llmproxy")
    return (sys.executable, "-m", "llmproxy") if found is None else (os.path.abspath(found),)
