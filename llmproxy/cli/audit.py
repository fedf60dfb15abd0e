"""C{llmproxy audit}."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import IO, Any

import click

from ..config.databases import Storage
from ..config.dotenv import with_dotenv
from ..config.units import parse_duration
from ..core.audit.record import microseconds
from ..core.csvcells import lines_of
from .faults import Fault
from .lookup import project_id_of, token_ids_called
from .management import Management, segment
from .output import Output, Progress, moment
from .outputfile import opened
from .storage import storage_options
from .target import management_options

COLUMNS = ("Time", "Action", "Actor", "Outcome", "Client", "Project", "Request", "Reason")
EXPORTED = (
    "id",
    "timestamp",
    "action",
    "actor",
    "outcome",
    "project_id",
    "token_id",
    "request_id",
    "correlation_id",
    "client_ip",
    "method",
    "path",
    "user_agent",
    "reason",
    "metadata",
    "chain",
    "seq",
    "hash",
)


@click.group()
def command() -> None:
    """The audit log: who did what, and whether it was tampered with.

    \b
    Examples:
      llmproxy audit list --outcome denied --since 24h
      llmproxy audit list --search team-a --json
      llmproxy audit export --since 2026-01-01T00:00:00Z --output audit.jsonl
      llmproxy audit verify
    """


def when(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """RFC 3339, or how long ago: C{90m}, C{24h}, C{7d}."""
    if value is None:
        return None
    try:
        if value[:1].isdigit() and "T" not in value.upper():
            return (datetime.now(timezone.utc) - timedelta(seconds=parse_duration(value))).isoformat()
        microseconds(value)
    except (ValueError, OverflowError):
        words = f"expected a time such as 2026-01-31T12:00:00Z, or how long ago such as 24h, got {value!r}"
        raise click.BadParameter(words, context, parameter) from None
    return value


_FILTERS = (
    click.option("--action", help="project.create, for example."),
    click.option("--actor", help="Who did it."),
    click.option("--outcome", type=click.Choice(["success", "failure", "denied", "error"])),
    click.option("--project", metavar="NAME", help="Name or id of a project."),
    click.option("--project-id", metavar="ID", help="The same, taken as it is."),
    click.option("--token", metavar="NAME", help="Id or name of a token; - is a secret on standard input."),
    click.option("--token-id", metavar="ID", help="The same, taken as it is."),
    click.option("--request-id", metavar="ID"),
    click.option("--correlation-id", metavar="ID"),
    click.option("--client-ip", metavar="ADDRESS"),
    click.option("--method"),
    click.option("--path"),
    click.option("--search", metavar="TEXT", help="Stands somewhere in an event, whatever its case."),
    click.option("--since", callback=when, metavar="TIME", help="RFC 3339, or how long ago: 90m, 24h, 7d."),
    click.option("--until", callback=when, metavar="TIME", help="Likewise."),
)


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@command.command("list")
@filters
@click.option("--limit", "-n", default=20, show_default=True, type=click.IntRange(1), help="The latest so many.")
@management_options
def list_events(api: Management, output: Output, limit: int, **wanted: Any) -> None:
    """List what was done and refused, the latest first.

    \b
    Examples:
      llmproxy audit list --since 1h
      llmproxy audit list --action token.create --actor ada --json
      llmproxy audit list --outcome denied --limit 20
    """
    events: list[Any] = []
    for page in _pages(api, wanted, min(limit, 1000)):
        events += page
        if len(events) >= limit:
            break
    events = events[:limit]
    output.table(events, COLUMNS, (_row(event) for event in events), "There are no such events.")


@command.command("show")
@click.argument("event_id")
@management_options
def show_event(api: Management, output: Output, event_id: str) -> None:
    """Show one event with everything that is known of it.

    \b
    Examples:
      llmproxy audit show 5f0c3a52-7c0a-4d6b-9d3c-1f2e3a4b5c6d
    """
    event = api.get(f"/audit/{segment(event_id)}")
    pairs = [(name, event[name]) for name in EXPORTED if event.get(name) not in (None, "") and name != "metadata"]
    output.fields(event, [*pairs, *_metadata(event)])


@command.command("export")
@filters
@click.option("--output", "-o", "path", default="-", metavar="FILE", help="Made for its owner alone; - is stdout.")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@management_options
def export_events(api: Management, output: Output, path: str, form: str, **wanted: Any) -> None:
    """Write all such events to a file, a line each, the latest first.

    \b
    Examples:
      llmproxy audit export --since 30d --output last-month.jsonl
      llmproxy audit export --actor carol --format csv > carol.csv
    """
    count = 0
    with opened(path) as file, Progress("events") as advance:
        for page in _pages(api, wanted, 1000):
            _write(file, page, form, first=not count)
            count += len(page)
            advance(len(page))
    if path != "-":
        output.say(f"{count} events are in {path}.", {"events": count, "file": path})


@command.command("verify")
@click.option("--file", "path", metavar="FILE", help="The latest file. [AUDIT_LOG_FILE, else the one there is]")
@click.option("--no-file", is_flag=True, help="Only the database.")
@click.option("--no-database", is_flag=True, help="Only the file: what is cut off at its end is not found then.")
@click.option("--head", "heads", multiple=True, metavar="CHAIN:COUNT:HASH", help="One that was kept elsewhere.")
@click.option("--data", metavar="DIR", help="The directory of llmproxy quickstart.")
@storage_options
def verify_log(
    storage: Storage,
    output: Output,
    path: str | None,
    no_file: bool,
    no_database: bool,
    heads: tuple[str, ...],
    data: str | None,
) -> None:
    """Find what was changed, removed or moved in the audit log, and say where.

    It reads the file with its older ones, and the database, as the proxy's own environment names them; the proxy may
    be running. How far the file has come is anchored in the database, and what is in one of the two must be in the
    other. The heads that it prints can be kept where nobody can reach who can write both, and be given to --head later.

    The status is 0 if everything is in order, and 1 if not.

    \b
    Examples:
      llmproxy audit verify
      llmproxy audit verify --data ./llmproxy-data
      llmproxy audit verify --file /var/log/llmproxy/audit.log --database postgresql://db/llmproxy
    """
    from .audit_verify import Places, report, verified

    log_file = with_dotenv(os.environ, click.get_current_context().params["env"]).get("AUDIT_LOG_FILE")
    places = Places.found(storage, path, log_file, data, no_file, no_database)
    verdict = verified(places, heads)
    report(verdict, output)
    if verdict.count:
        sys.exit(1)


def _pages(api: Management, wanted: dict[str, Any], size: int) -> Iterator[list[Any]]:
    project = wanted.pop("project")
    if project:
        wanted["project_id"] = project_id_of(api, project)
    token = wanted.pop("token")
    if token:
        ids = token_ids_called(api, token)
        if len(ids) > 1:
            raise Fault(f"{len(ids)} tokens are called {token!r}: give an id of llmproxy token list")
        wanted["token_id"] = ids[0]
    query = {"start_time": wanted.pop("since"), "end_time": wanted.pop("until"), **wanted}
    for page in api.pages("/audit", limit=size, **query):
        yield page["events"]


def _row(event: dict[str, Any]) -> tuple[Any, ...]:
    names = ("action", "actor", "outcome", "client_ip", "project_id", "request_id", "reason")
    return (moment(event["timestamp"]), *(event.get(name) for name in names))


def _metadata(event: dict[str, Any]) -> list[tuple[str, Any]]:
    try:
        return list(json.loads(event.get("metadata") or "{}").items())
    except ValueError:
        return [("metadata", event["metadata"])]


def _write(file: IO[str], events: Iterable[dict[str, Any]], form: str, first: bool) -> None:
    if form == "jsonl":
        file.writelines(json.dumps(event, ensure_ascii=False) + "\n" for event in events)
        return
    if first:
        file.write(lines_of([EXPORTED]))
    file.write(lines_of([event.get(name) for name in EXPORTED] for event in events))
