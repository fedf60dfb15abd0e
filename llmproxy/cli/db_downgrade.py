"""C{llmproxy db downgrade}: one step back of the schema."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click

from ..config.databases import Storage
from .faults import Conflicting, Fault
from .output import Output
from .storage import faults_of, located, storage_options, writing

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..store.backend import Backend
    from ..store.downgrade import Loss


@click.command()
@click.option("--yes", is_flag=True, help="Lose what the earlier revision has no place for.")
@click.option("--force", is_flag=True, help="Even if others have the database open.")
@storage_options
def downgrade(storage: Storage, output: Output, yes: bool, force: bool) -> None:
    """Take the schema one revision back, for an earlier program. Stop the proxies first, and take a backup.

    An earlier program mostly works on a newer schema, as it is: see llmproxy db current there. What the earlier
    revision has no place for is listed, and given up with --yes alone. A proxy of this release that starts takes the
    step forward again; what was given up stays so.

    \b
    Examples:
      llmproxy db downgrade --env .env
      llmproxy db downgrade --database sqlite:///data/llm-proxy.db --yes
    """
    location = located(storage.database_url)
    value = take_step_back(location, yes, force)
    words = f"downgraded from {value['before']} to {value['revision']}"
    gone = f"; given up: {', '.join(each['words'] for each in value['lost'])}" if value["lost"] else ""
    output.say(f"{location.label}: {words}{gone}.", value)


def take_step_back(location: Backend, yes: bool, force: bool = False) -> dict[str, Any]:
    """
    One step, if nobody has the database open, and nothing is lost that nobody agreed to.

    @raise Fault: there is no step to take.
    @raise Conflicting: something is in the way of it; nothing has changed then.
    """
    from ..store.downgrade import downgrade as take
    from ..store.downgrade import losses, step_back

    if location.path is None and location.is_sqlite:
        raise Fault(f"{location.label}: is new, and has no step to take back")
    if not force:
        _alone(location)
    with writing(location) as connection:
        found, to = step_back(connection)
        lost = losses(connection, found, to)
        if lost and not yes:
            words = ", ".join(each.words for each in lost)
            raise Conflicting(f"{location.label}: revision {to} has no place for {words}: --yes gives that up")
        _note(connection, found, to, lost)
        take(connection, to)
    plain = [{"what": each.what, "rows": each.rows, "words": each.words} for each in lost]
    return {"database": location.label, "before": found, "revision": to, "lost": plain}


def _alone(location: Backend) -> None:
    from ..store.downgrade import others

    if location.path is not None and not os.path.exists(location.path):
        raise Fault(f"{location.label}: there is no such file")
    engine = location.engine()
    try:
        with faults_of(location):
            if location.path is not None:
                count = others(location, None)
            else:
                with engine.connect() as connection:
                    count = others(location, connection)
    finally:
        engine.dispose()
    if count:
        who = "somebody has it open" if location.path is not None else f"{count} other connections are open"
        raise Conflicting(
            f"{location.label}: {who}: processes of this release cannot work on an earlier schema. Stop the proxies "
            "first, or say --force"
        )


def _note(connection: Connection, found: str, to: str, lost: list[Loss]) -> None:
    """In the audit log, where this program can write there: its tables are those of the last revision."""
    from ..sinks.audit import Notes
    from ..store.audit import append
    from ..store.schema import HEAD

    if found != HEAD:
        return
    clock: Any = _Now()
    notes = Notes(clock)
    record = notes.own("database.downgrade", before=found, revision=to, lost=[each.what for each in lost])
    append(connection, lambda heads: notes.own("audit.open", heads=heads), [record], clock.seconds())


class _Now:
    def seconds(self) -> float:
        return time.time()
