"""C{llmproxy logout}: the end of a sign-in."""

from __future__ import annotations

import click

from .agents import DEFAULT_URL
from .credentials import Credentials
from .faults import NotThere
from .login import url_of
from .oauthclient import OAuthClient
from .output import warn


@click.command()
@click.option("--url", metavar="URL", help=f"Where the proxy is. [LLMPROXY_URL, else {DEFAULT_URL}]")
@click.option("--all", "everywhere", is_flag=True, help="At all proxies where you are signed in.")
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(0.1), help="Seconds to wait.")
def command(url: str | None, everywhere: bool, timeout: float) -> None:
    """Sign out: the tokens of this machine end, here and at the proxy.

    \b
    Examples:
      llmproxy logout --url https://proxy.example
      llmproxy logout --all
    """
    credentials = Credentials()
    with credentials.held():
        found = credentials.all()
        if everywhere:
            wanted = list(found.values())
        elif url_of(url) in found:
            wanted = [found[url_of(url)]]
        else:
            raise NotThere(f"you are not signed in at {url_of(url)}")
        for each in wanted:
            credentials.forget(each.url)
    for each in wanted:
        try:
            OAuthClient(each.url, timeout).revoke(each)
        except click.ClickException as error:
            warn(f"{error.message}; its tokens end by themselves")
        click.echo(f"signed out at {each.url}", err=True)
