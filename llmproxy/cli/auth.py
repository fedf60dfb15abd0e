"""C{llmproxy auth}: the token of a sign-in, for programs."""

from __future__ import annotations

import time

import click

from .agents import DEFAULT_URL
from .credentials import Credentials, SignIn
from .faults import Refused, Unreachable
from .login import url_of
from .oauthclient import Denied, OAuthClient
from .output import Output

LASTS = 360.0
"""Seconds that a token which is printed is good for at least: coding agents ask anew every five minutes."""

_ENOUGH = 10.0
"""Seconds that it is good for at least while no other can be had."""


@click.group()
def command() -> None:
    """The sign-in of llmproxy login, for programs and for looking at.

    \b
    Examples:
      llmproxy auth print-token --url https://proxy.example
      llmproxy auth status
    """


@command.command("print-token")
@click.option("--url", metavar="URL", help=f"Where the proxy is. [LLMPROXY_URL, else {DEFAULT_URL}]")
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(0.1), help="Seconds to wait.")
def print_token(url: str | None, timeout: float) -> None:
    """Print an access token that is good for some minutes more, and nothing else.

    For apiKeyHelper of Claude Code, auth.command of Codex, and scripts; it is refreshed when it has to be, and any
    number of programs may ask at the same time. Without a sign-in the status is 4.

    \b
    Examples:
      llmproxy auth print-token --url https://proxy.example
    """
    click.echo(good(url_of(url), time.time(), timeout).access_token)


def good(url: str, now: float, timeout: float) -> SignIn:
    """
    A sign-in whose token lasts.

    @raise Refused: there is none (any more).
    """
    credentials = Credentials()
    found = credentials.all().get(url)
    if found is not None and found.is_good_for(LASTS, now):
        return found
    with credentials.held():
        # Somebody else may have refreshed it meanwhile.
        found = credentials.all().get(url)
        if found is None:
            raise Refused(f"you are not signed in at {url}: llmproxy login --url {url}")
        if found.is_good_for(LASTS, now):
            return found
        try:
            found = OAuthClient(url, timeout).refresh(found, now)
        except Unreachable:
            # The proxy, or the provider that it asks, is away: what there is may do until it is back.
            if found.is_good_for(_ENOUGH, now):
                return found
            raise
        except Denied as error:
            if error.code != "invalid_grant":
                raise
            credentials.forget(url)
            raise Refused(f"your sign-in at {url} is over: llmproxy login --url {url}") from None
        credentials.keep(found)
        return found


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """List where you are signed in; no token is shown.

    \b
    Examples:
      llmproxy auth status
    """
    credentials, now = Credentials(), time.time()
    found = [credentials.all()[url] for url in sorted(credentials.all())]
    value = [{"url": each.url, "expires_in": round(each.expires_at - now)} for each in found]
    rows = [(each.url, _span(round(each.expires_at - now))) for each in found]
    Output(as_json).table(value, ("proxy", "token"), rows, "signed in nowhere")


def _span(seconds: int) -> str:
    return f"good for {-(-seconds // 60)} min" if seconds > 0 else "to be refreshed"
