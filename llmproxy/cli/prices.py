"""C{llmproxy prices}."""

from __future__ import annotations

import time
from datetime import timezone
from typing import TYPE_CHECKING, Any

import click

from ..core.reportperiods import moment_of
from .faults import Fault, NotThere
from .output import Output, Progress
from .prices_shown import COLUMNS, as_json, known_of, row_of
from .prices_source import PriceSource, price_options, source_options
from .storage import check_revision, located, reading, storage_of_proxy, writing

if TYPE_CHECKING:
    from ..store.backend import Backend
    from ..store.repricing import Change, Repricing, SeenModel


def _moment(context: click.Context, parameter: click.Parameter, value: str) -> float:
    try:
        return moment_of(value, time.time(), timezone.utc)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None


_SINCE = "2026-01-31, 2026-01, RFC 3339, or how long ago: 24h, 7d, 2w, 1mo."


@click.group()
def command() -> None:
    """What models cost: list prices of the book, and those of the configuration above them.

    The book comes with the package genai-prices; nothing is fetched. A newer one holds from the next
    start of the proxy on, and for what was before with recompute.

    \b
    Examples:
      llmproxy prices show gpt-4o-mini
      llmproxy prices check
      llmproxy prices recompute --since 7d
    """


@command.command("show")
@click.argument("model", required=False)
@click.option("--api", metavar="NAME", help="Of one API of the configuration, or of one vendor.")
@price_options
def show(source: PriceSource, output: Output, model: str | None, api: str | None) -> None:
    """Show what MODEL costs now, or what all models do that are known.

    USD: for a million tokens, or as it says. Without --api it is every API of the configuration;
    without a configuration every vendor that has the model.

    \b
    Examples:
      llmproxy prices show
      llmproxy prices show gpt-4o-mini
      llmproxy prices show gemini-2.5-pro --api gemini --json
    """
    found = known_of(source, model, api, time.time())
    if not found and model:
        where = f" for {api}" if api else ""
        raise NotThere(f"no price is known of {model}{where}; prices: in the configuration gives it one")
    output.table([as_json(each) for each in found], COLUMNS, map(row_of, found), "No prices are known.")


@command.command("check")
@click.option("--since", callback=_moment, default="30d", show_default=True, metavar="TIME", help=_SINCE)
@source_options
def check(source: PriceSource, output: Output, since: float) -> None:
    """List the models that were used and have no price: what they cost is not known.

    It ends with 1 if there are some. A model of one's own has a price of 0, if it is given one.

    \b
    Examples:
      llmproxy prices check
      llmproxy prices check --since 7d --config apis.yaml --database sqlite:///data/llm-proxy.db
    """
    from ..store.repricing import seen_models

    location = located(storage_of_proxy(source.database, source.env).database_url)
    with reading(location) as connection:
        check_revision(location, connection)
        seen = seen_models(connection, since, time.time() + 1)
    without = [each for each in seen if source.prices.tariff((each.provider, each.api, each.model)) is None]
    rows = [(each.api, each.model, each.exchanges, each.input_tokens, each.output_tokens) for each in without]
    columns = ("API", "Model", "Exchanges", "Input tokens", "Output tokens")
    output.table([_seen(each) for each in without], columns, rows, f"All of {len(seen)} models have a price.")
    if without:
        first = without[0]
        rule = f'- {{api: {first.api}, model: "{first.model}", input: 0, output: 0}}'
        raise Fault(f"{len(without)} models have no price; prices: in the configuration gives them one: {rule}")
    waiting = sum(each.unpriced for each in seen)
    if waiting:
        output.say(f"{waiting} exchanges have no cost yet: llmproxy prices recompute gives them one.")


def _seen(each: SeenModel) -> dict[str, Any]:
    return {
        "api": each.api,
        "provider": each.provider,
        "model": each.model,
        "exchanges": each.exchanges,
        "input_tokens": each.input_tokens,
        "output_tokens": each.output_tokens,
    }


@command.command("recompute")
@click.option("--since", callback=_moment, required=True, metavar="TIME", help=_SINCE)
@click.option("--until", callback=_moment, default="0m", metavar="TIME", help="Likewise, not included. [now]")
@click.option("--yes", "-y", is_flag=True, help="Change it, instead of showing what would change.")
@source_options
def recompute(source: PriceSource, output: Output, since: float, until: float, yes: bool) -> None:
    """Show what exchanges cost by the prices of today, from what they are known to have used; or change it.

    It works on single records, as far back as they are kept, and on the sums of reports with them. What has
    no price today keeps what it had. The proxy may run meanwhile.

    \b
    Examples:
      llmproxy prices recompute --since 7d
      llmproxy prices recompute --since 2026-11 --until 2026-12 --yes
    """
    from ..store.repricing import Repricing

    if until <= since:
        raise click.UsageError("--until is not after --since")
    location = located(storage_of_proxy(source.database, source.env).database_url)
    repricing = Repricing(source.prices, since, until)
    count = _run(location, repricing, write=yes)
    changes = sorted(repricing.changes.items())
    changed = [(key, change) for key, change in changes if change.changed]
    columns = ("API", "Model", "Exchanges", "Changed", "Before", "After", "Difference")
    value = {
        "written": yes,
        "exchanges": count,
        "book": source.prices.version,
        "models": [_changed(key, change) for key, change in changed],
    }
    rows = [(*key, change.exchanges, change.changed, *_money(change)) for key, change in changed]
    output.table(value, columns, rows, f"Of {count} exchanges none would cost anything else.")
    total = sum(change.changed for _, change in changed)
    if yes:
        output.say(f"{total} of {count} exchanges were given another cost.")
    elif total:
        output.say(f"Nothing was changed: {total} of {count} exchanges would be, with --yes.")


def _run(location: Backend, repricing: Repricing, *, write: bool) -> int:
    """How many records were looked at."""
    with reading(location) as connection:
        check_revision(location, connection)
        total = repricing.count(connection)
        if not write:
            return _steps(lambda after: repricing.step(connection, after, write=False), total)

    def step(after: Any) -> Any:
        with writing(location) as connection:
            return repricing.step(connection, after, write=True)

    return _steps(step, total)


def _steps(step: Any, total: int) -> int:
    done, after = 0, None
    with Progress("pricing", total) as advance:
        while True:
            count, after = step(after)
            done += count
            advance(count)
            if after is None:
                return done


def _money(change: Change) -> tuple[str, str, str]:
    from ..core.prices import written

    difference = change.after - change.before
    return written(change.before), written(change.after), f"{'+' if difference > 0 else ''}{written(difference)}"


def _changed(key: tuple[str, str], change: Change) -> dict[str, Any]:
    before, after, _ = _money(change)
    counts = {"exchanges": change.exchanges, "changed": change.changed}
    return {"api": key[0], "model": key[1], **counts, "before": before, "after": after}
