"""C{llmproxy sinks}."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigError
from .faults import Fault, NotThere, Refused, Unreachable
from .management import Management, segment
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
      llmproxy sinks redeliver hook
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


@command.command("redeliver")
@click.argument("name", metavar="NAME")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many, the oldest; default: all.")
@management_options
def redeliver(api: Management, output: Output, name: str, limit: int | None) -> None:
    """Send the dead letters of a sink again, by a running proxy.

    For when what the receiver did not take them for has been put right. What it takes now is a dead letter no longer;
    what it refuses again stays one, with the new reason. The events have the ids that they had, so that a receiver can
    tell what it has already. What became a letter after this command began is left alone.

    \b
    Examples:
      llmproxy sinks redeliver hook
      llmproxy sinks redeliver hook --limit 1 --json
    """
    total: dict[str, Any] = {"delivered": 0, "refused": 0, "left": 0, "error": "", "answer": ""}
    from ..core.events.letters import MOST

    before, most = datetime.now(timezone.utc).isoformat(), limit
    while most is None or most > 0:
        body = {"limit": min(MOST, most or MOST), "before": before}
        found = api.post(f"/sinks/{segment(name)}/redeliver", body)
        tried = found["delivered"] + found["refused"]
        total |= {each: total[each] + found[each] for each in ("delivered", "refused")}
        total |= {each: found[each] for each in ("left", "error", "answer")}
        most = None if most is None else most - tried
        if not tried or not found["left"]:
            break
    output.say(_outcome(name, total), total)
    if total["error"]:
        raise Unreachable(f"{name} did not take more: {total['error']}")


def _outcome(name: str, total: Any) -> str:
    delivered, refused, left = (total[each] for each in ("delivered", "refused", "left"))
    if not delivered and not refused and not left:
        return f"{name} has no dead letters."
    parts = [f"{delivered} delivered", f"{refused} refused again", f"{left} left"]
    return f"{name}: {', '.join(parts)}."


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
