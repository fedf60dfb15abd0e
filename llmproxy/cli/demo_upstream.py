"""C{llmproxy demo-upstream}."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ..errors import ConfigError

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IListeningPort
    from twisted.python.failure import Failure


@click.command()
@click.option("--listen", default="127.0.0.1:8090", show_default=True, help="An address or a Twisted endpoint.")
@click.option("--key-file", type=click.Path(exists=True, dir_okay=False), help="Holds the key to ask for.")
@click.option("--pause", default=0.02, show_default=True, help="Seconds between two events of a stream.")
def command(listen: str, key_file: str | None, pause: float) -> None:
    """Serve an OpenAI-shaped upstream of our own: no model, no network.

    Without --key-file the key is: demo

    \b
    Examples:
      llmproxy demo-upstream
      llmproxy demo-upstream --listen 127.0.0.1:9000 --pause 0.1
    """
    from twisted.internet import reactor
    from twisted.internet.address import IPv4Address
    from twisted.internet.endpoints import serverFromString
    from twisted.web.server import Site

    from ..app.signals import ProcessSignals, Undrained
    from ..config.listen import endpoint_description
    from ..demo import DemoUpstream
    from .reactor import log_to_stderr, run_until_failure

    key = "demo"
    if key_file is not None:
        with open(key_file, encoding="utf-8") as file:
            key = file.read().strip()

    def listening(port: IListeningPort) -> None:
        address = port.getHost()
        where = f"http://{address.host}:{address.port}" if isinstance(address, IPv4Address) else address
        click.echo(f"demo upstream: {where}")

    def refused(reason: Failure) -> None:
        raise ConfigError(f"--listen {listen}: cannot listen: {reason.value}")

    def start() -> Deferred[None]:
        try:
            endpoint = serverFromString(reactor, endpoint_description(listen))
        except ValueError as error:
            raise ConfigError(f"--listen {listen}: {error}") from None
        site = Site(DemoUpstream(reactor, key, pause))
        site.noisy = False
        return endpoint.listen(site).addCallbacks(listening, refused)

    log_to_stderr("warn")
    ProcessSignals(reactor, Undrained(), terminal=lambda: True).install()
    sys.exit(run_until_failure(reactor, start))
