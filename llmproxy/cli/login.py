"""C{llmproxy login}: signing in at a proxy, as the person who sits there."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
import webbrowser

import click

from .. import __version__
from .agents import DEFAULT_URL
from .credentials import Credentials
from .oauthclient import OAuthClient


def url_of(given: str | None) -> str:
    return (given or os.environ.get("LLMPROXY_URL", "").strip() or DEFAULT_URL).rstrip("/")


@click.command()
@click.option("--url", metavar="URL", help=f"Where the proxy is. [LLMPROXY_URL, else {DEFAULT_URL}]")
@click.option("--device-name", metavar="NAME", help="What this machine is called where you decide. [its host name]")
@click.option("--no-browser", is_flag=True, help="Open no browser; print the address only.")
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(0.1), help="Seconds to wait.")
def command(url: str | None, device_name: str | None, no_browser: bool, timeout: float) -> None:
    """Sign in at a proxy, in a browser here or on any other machine.

    What comes of it is kept for you alone in ~/.config/llmproxy/credentials.json (LLMPROXY_CREDENTIALS names another
    file); llmproxy auth print-token gives it to programs, and llmproxy logout ends it.

    \b
    Examples:
      llmproxy login --url https://proxy.example
      llmproxy login --url https://proxy.example --no-browser
    """
    client = OAuthClient(url_of(url), timeout)
    endpoints = client.endpoints()
    asked = client.ask(endpoints, f"llmproxy/{__version__}", device_name or platform.node() or "a machine")
    click.echo(f"Open {asked.verification_uri} and enter the code {asked.user_code}", err=True)
    if not no_browser and sys.stderr.isatty() and _has_screen():
        webbrowser.open(asked.verification_uri_complete)
    click.echo("waiting until you have decided there ... (Ctrl-C to give up)", err=True)
    signed_in = client.wait(endpoints, asked, time.time, time.sleep)
    credentials = Credentials()
    with credentials.held():
        former = credentials.all().get(signed_in.url)
        credentials.keep(signed_in)
    if former is not None:
        # What was there is of no use to anybody any more.
        with contextlib.suppress(click.ClickException):
            client.revoke(former)
    click.echo(f"signed in at {signed_in.url}; {credentials.path} keeps it", err=True)


def _has_screen() -> bool:
    """Whether a browser here would be seen by anybody."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
