"""C{llmproxy demo-upstream}."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.option("--listen", default="tcp:8090:interface=127.0.0.1", show_default=True, help="A Twisted endpoint.")
@click.option("--key-file", type=click.Path(exists=True, dir_okay=False), help="Holds the key to ask for.")
@click.option("--pause", default=0.02, show_default=True, help="Seconds between two events of a stream.")
def command(listen: str, key_file: str | None, pause: float) -> None:
    """Serve an OpenAI-shaped upstream of our own: no model, no network.

    Without --key-file the key is: demo
    """
    from twisted.internet import reactor
    from twisted.internet.endpoints import serverFromString
    from twisted.web.server import Site

    from ..demo import DemoUpstream

    key = "demo"
    if key_file is not None:
        with open(key_file, encoding="utf-8") as file:
            key = file.read().strip()
    failed: list[Any] = []

    def refused(reason: Any) -> None:
        failed.append(reason)
        reactor.callWhenRunning(reactor.stop)

    site = Site(DemoUpstream(reactor, key, pause))
    serverFromString(reactor, listen).listen(site).addCallbacks(
        lambda port: click.echo(f"demo upstream: {port.getHost()}"), refused
    )
    reactor.run()
    if failed:
        raise click.ClickException(f"cannot listen at {listen}: {failed[0].value}")
