"""C{llmproxy usage}."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from ..core.reportgroups import PERIODS, groups_of
from ..core.reportperiods import begins, label, zone_of
from ..core.reports import MOST_ROWS
from .output import Output, Progress
from .outputfile import opened
from .usage_export import write_records, write_report
from .usage_source import UsageSource, usage_options
from .usage_table import RECORD_COLUMNS, record_row, show_report

DEFAULT_BY = "day"

SPANS = {"hour": 0.94, "day": 5.5, "week": 48, "month": 325}
"""
Days from the present period back into the one that a report begins with by default, by its finest period: 24 hours, 7
days, 8 weeks or 12 months in all.
"""

WITHOUT_PERIOD = 29
"""The same of one without periods, in days."""


def groups(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> str:
    """Names with commas, or one by one."""
    text = ",".join(value)
    try:
        groups_of(text)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None
    return text


def zone(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """The name of a time zone."""
    try:
        zone_of(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None
    return value


_FILTERS = (
    click.option("--since", metavar="TIME", help="2026-01-31, 2026-01, RFC 3339, or how long ago: 24h, 7d, 2w, 1mo."),
    click.option("--until", metavar="TIME", help="Likewise, not included."),
    click.option("--project", "projects", multiple=True, metavar="NAME", help="Name or id of a project; repeatable."),
    click.option(
        "--token", "tokens", multiple=True, metavar="NAME", help="Id or name; - is a secret on standard input."
    ),
    click.option("--api", "apis", multiple=True, metavar="NAME", help="An API; repeatable."),
    click.option("--model", "models", multiple=True, metavar="NAME", help="As it was asked for; repeatable."),
    click.option("--person", "persons", multiple=True, metavar="WHO", help="Id, address or name; repeatable."),
    click.option("--tz", callback=zone, default="UTC", show_default=True, metavar="ZONE", help="Where days begin."),
)


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@click.option("--by", callback=groups, multiple=True, metavar="GROUPS", default=(DEFAULT_BY,), help=f"[{DEFAULT_BY}]")
@filters
@click.option("--top", type=click.IntRange(1, MOST_ROWS), metavar="N", help="Only the rows that cost most.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: a line for each row, without the totals.")
@usage_options
def command(source: UsageSource, output: Output, by: str, top: int | None, as_csv: bool, **wanted: Any) -> None:
    """Who used what, and what it cost.

    --by takes hour, day, week, month, project, token, api, model, served_model, endpoint, status, user, session,
    program, person, tag:NAME and metadata.NAME, several with commas. Costs are USD; in JSON and CSV they are exact.
    Below the table stands what this month will cost at the rate of the last seven days.

    \b
    Examples:
      llmproxy usage
      llmproxy usage --by day,project,model --since 7d
      llmproxy usage --by project --since 2026-01 --until 2026-02 --tz Europe/Berlin --top 10
      llmproxy usage --by tag:team --project search --json
      llmproxy usage records --since 1h --format csv > last-hour.csv
    """
    ctx = click.get_current_context()
    if ctx.invoked_subcommand is not None:
        _refuse_options(ctx)
        return
    if as_csv and output.as_json:
        raise click.UsageError("--csv or --json, not both")
    if not wanted["since"] and not wanted["until"]:
        wanted["since"] = since_of(by, wanted["tz"], time.time())
    report = source.report(group_by=by, top=top, forecast=None if as_csv else "true", **source.query(**wanted))
    if as_csv:
        write_report(sys.stdout, report, by)
    elif output.as_json:
        output.json(report)
    else:
        show_report(output, report, by)


@command.command("records")
@filters
@click.option("--limit", "-n", type=click.IntRange(1), help="The latest so many. [else 20 of a list, all to a file]")
@click.option("--format", "form", type=click.Choice(["table", "jsonl", "csv"]), help="[table, or as FILE is named]")
@click.option("--output", "-o", "path", default="-", metavar="FILE", help="Made for its owner alone; - is stdout.")
@usage_options
def records(source: UsageSource, output: Output, limit: int | None, form: str | None, path: str, **wanted: Any) -> None:
    """List single exchanges, the latest first, or write all of them as JSONL or CSV.

    \b
    Examples:
      llmproxy usage records --since 1h --project search
      llmproxy usage records --since 2026-01 --output january.csv
      llmproxy usage records --format jsonl | jq -r .cost
    """
    kind = form or _kind_of(path)
    if kind != "table":
        _export(source, output, kind, path, limit, wanted)
        return
    if path != "-":
        raise click.UsageError("--output: a table goes to stdout; give --format jsonl or csv")
    found: list[dict[str, Any]] = []
    for page in source.records(limit or 20, **source.query(**wanted)):
        found += page
    output.table(found, RECORD_COLUMNS, map(record_row, found), "There are no such records.", numbers=range(5, 8))


def since_of(by: str, tz: str, now: float) -> str:
    """Where a report begins that nobody said a span for: so many whole periods back, the present one included."""
    where = zone_of(tz)
    finest = next((period for period in PERIODS if period in by.split(",")), None)
    unit, days = (finest, SPANS[finest]) if finest else ("day", WITHOUT_PERIOD)
    first = begins(unit, begins(unit, now, where) - 86_400 * days, where)
    return label("hour" if unit == "hour" else "day", first, where)


def _export(
    source: UsageSource, output: Output, form: str, path: str, limit: int | None, wanted: dict[str, Any]
) -> None:
    count = 0
    with opened(path) as file, Progress("records") as advance:
        for page in source.records(limit, **source.query(**wanted)):
            write_records(file, page, form, first=not count)
            count += len(page)
            advance(len(page))
    if path != "-":
        output.say(f"{count} records are in {path}.", {"records": count, "file": path})


def _kind_of(path: str) -> str:
    ending = path.rpartition(".")[2].lower()
    return ending if ending in ("jsonl", "csv") else "table" if path == "-" else "jsonl"


def _refuse_options(ctx: click.Context) -> None:
    """What stands before the name of a subcommand would be lost."""
    given = [name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        raise click.UsageError(f"options of {ctx.invoked_subcommand} stand behind its name")
