"""Address and token of the management API: options, environment, or what C{llmproxy quickstart} left."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import click

from .faults import Fault
from .http import Address, Http, parse_address
from .management import Management
from .oldnames import dotenv_value
from .output import Output, warn
from .secretinput import read_secret_file

DEFAULT_URL = "http://localhost:8080"
DATA = "./llmproxy-data"
"""Where C{llmproxy quickstart} keeps what it needs, unless it is given another place."""


def management_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """
    Give a command the options of all that ask the management API, and call it with C{api}, a L{Management}, and
    C{output}, an L{Output}.
    """

    @functools.wraps(command)
    def asking(**options: Any) -> Any:
        given = {name: options.pop(name) for name in CONNECT}
        output = Output(options.pop("as_json"))
        return command(api=connect(**given), output=output, **options)

    for option in reversed(OPTIONS):
        asking = option(asking)
    return asking


CONNECT = ("manage_api_base_url", "management_token", "management_token_file", "data", "timeout")
"""The parameters that L{connect} is given of them."""

OPTIONS = (
    click.option(
        "--manage-api-base-url",
        "--api-base-url",
        metavar="URL",
        help=f"Where the proxy is; unix:/path for a socket. [MANAGE_API_BASE_URL, else {DEFAULT_URL}]",
    ),
    click.option(
        "--management-token-file",
        metavar="FILE",
        help="Holds the management token, - is standard input. [MANAGEMENT_TOKEN, MANAGEMENT_TOKEN_FILE]",
    ),
    click.option("--management-token", hidden=True),
    click.option("--data", metavar="DIR", help=f"The directory of llmproxy quickstart. [else {DATA}, if it is there]"),
    click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(0.1), help="Seconds to wait."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON, as the server gave it."),
)


def connect(
    *,
    manage_api_base_url: str | None = None,
    management_token: str | None = None,
    management_token_file: str | None = None,
    data: str | None = None,
    timeout: float = 30.0,
) -> Management:
    """
    The management API that options, environment and the quickstart directory describe, in this order.

    A token that was only found lying about, in a directory, is sent to this machine alone.
    """
    url = manage_api_base_url or _root_option() or _environment("MANAGE_API_BASE_URL", "MANAGEMENT_API_BASE_URL")
    address = _address(url or _kept(data, "address") or DEFAULT_URL)
    token = _said(management_token, management_token_file)
    if not token and address.local:
        # Of a file that is found in a directory, as below: who put it there cannot have it sent elsewhere.
        token = dotenv_value("MANAGEMENT_TOKEN")
    if not token and (data is not None or address.local):
        token = _kept(data, "management-token")
    if not token:
        raise click.UsageError(
            "the management token is needed: set MANAGEMENT_TOKEN, or name a file with --management-token-file"
        )
    if not (token.isascii() and token.isprintable()):
        raise Fault("the management token holds characters that cannot be sent")
    if address.scheme == "http" and not address.local:
        warn(f"{address.text}: the management token is sent without encryption")
    return Management(opener()(address, timeout), token)


def opener() -> Callable[[Address, float], Any]:
    """What makes connections: L{Http}, or what a program that runs these commands gives as click's C{obj}."""
    context = click.get_current_context(silent=True)
    return (None if context is None else context.find_root().obj) or Http


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise click.UsageError(f"--manage-api-base-url: {error}") from None


def _said(token: str | None, path: str | None) -> str:
    if path is not None:
        return read_secret_file(path)
    if token:
        warn("everybody on this machine can see --management-token; use MANAGEMENT_TOKEN or --management-token-file")
        return token
    text, named = _environment("MANAGEMENT_TOKEN"), _environment("MANAGEMENT_TOKEN_FILE")
    if text.startswith("file:"):
        named = text.removeprefix("file:")
    return read_secret_file(named) if named else text


def _kept(data: str | None, name: str) -> str:
    """What C{llmproxy quickstart} keeps under C{name}; C{""} if it was not there and nobody named the directory."""
    path = os.path.join(data or DATA, name)
    if not os.path.exists(path) and (data is None or name == "address"):
        return ""
    return read_secret_file(path)


def _environment(*names: str) -> str:
    return next((text for name in names if (text := os.environ.get(name, "").strip())), "")


def _root_option() -> str | None:
    """C{llmproxy --manage-api-base-url URL …}, as the reference has it: before the command."""
    context = click.get_current_context(silent=True)
    found: str | None = None if context is None else context.find_root().params.get("manage_api_base_url")
    return found
