"""C{llmproxy sinks}."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigError
from .faults import Fault, NotThere, Refused, Unreachable
from .management import Management
from .output import Output
from .target import management_options

if TYPE_CHECKING:
    from ..config.sinks import SinkConfig
    from ..core.events.receipts import Receipt

COLUMNS = ("name", "type", "state", "waiting", "spooled", "delivered", "dead", "lost", "failures", "last error")


@click.group()
def command() -> None:
    """The sinks of events: how they are, and whether their receivers take what they get.

    \b
    Examples:
      llmproxy sinks list
      llmproxy sinks test hook --config apis.yaml
    """


@command.command("list")
@management_options
def show(api: Management, output: Output) -> None:
    """List all sinks of a running proxy, as all workers see them.

    \b
    Examples:
      llmproxy sinks list
      llmproxy sinks list --json
    """
    found = api.get("/sinks")
    output.table(found, COLUMNS, map(_row, found), "There are no sinks.", numbers=range(3, 9))


@command.command("test")
@click.argument("name", metavar="NAME")
@click.option(
    "--config",
    "path",
    metavar="FILE",
    envvar="API_CONFIG_PATH",
    default="./config/api_providers.yaml",
    show_default=True,
    help="The configuration that has the sink. [API_CONFIG_PATH]",
)
def check(name: str, path: str) -> None:
    """Send one event to a sink of a configuration, and show what came back.

    It is sent by this command itself, with the variables of its environment; no proxy need run. The event has details
    that say what it is. Shown are the status and the beginning of the answer, without what looks like a secret.

    \b
    Examples:
      llmproxy sinks test hook
      llmproxy sinks test lf --config apis.yaml
    """
    from ..config import load_api_config
    from .check_events import with_telemetry

    try:
        sinks = {each.name: each for each in with_telemetry(load_api_config(path)).sinks}
    except ConfigError as error:
        raise Fault(str(error)) from None
    if name not in sinks:
        known = ", ".join(sinks) or "none"
        raise NotThere(f"{path} has no sink {name!r}; it has {known}")
    config = sinks[name]
    outcome = _run(config)
    if isinstance(outcome, ConfigError):
        raise Fault(str(outcome))
    if isinstance(outcome, Exception):
        why = str(outcome) or type(outcome).__name__
        raise _fault(outcome)(f"{name} ({config.type}) did not take the event: {why}")
    answer = "" if outcome is None or not str(outcome) else f": {outcome}"
    click.echo(f"{name} ({config.type}) took the event{answer}")


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of events.

    \b
    Examples:
      llmproxy sinks schema > event.schema.json
    """
    from ..core.events.jsonschema import json_schema

    json.dump(json_schema(), sys.stdout, indent=2)
    click.echo()


def _row(each: Any) -> tuple[Any, ...]:
    numbers = (each[name] for name in ("waiting", "spooled", "delivered", "dead", "lost", "failures"))
    return (each["name"], each["type"], each["state"], *numbers, each["error"][:60])


def _fault(error: Exception) -> type[Fault]:
    from ..core.events.receipts import PermanentFailure

    return Refused if isinstance(error, PermanentFailure) else Unreachable


def _run(config: SinkConfig) -> Receipt | Exception | None:
    """Deliver one event on a reactor of this process's own."""
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    outcomes: list[Any] = []

    def ended(result: Any) -> None:
        outcomes.append(result.value if isinstance(result, Failure) else result)
        reactor.stop()

    def begin() -> None:
        Deferred.fromCoroutine(_deliver(reactor, config)).addBoth(ended)

    reactor.callWhenRunning(begin)
    reactor.run()
    outcome: Receipt | Exception | None = outcomes[0]
    return outcome


async def _deliver(reactor: Any, config: SinkConfig) -> Receipt | None:
    from ..app.sinks import SinkMaker
    from ..app.sinktrial import try_sink
    from ..core.masking import Masking
    from ..store.threads import PooledThreads
    from ..upstream.client import PooledClient

    threads = PooledThreads(reactor, 2, "sinks")
    maker = SinkMaker(reactor, lambda: PooledClient(reactor), threads.run, Masking(), ":memory:")
    threads.start()
    try:
        return await try_sink(reactor, maker, config, "sent by llmproxy sinks test")
    finally:
        closing = maker.agent.close()
        if closing is not None:
            await closing
        threads.stop()
