"""C{llmproxy db import-litellm}."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..config.databases import Storage
from .db_import import Now, moved_rows, opened_target, tell
from .faults import Fault
from .output import Output, Progress, warn
from .storage import located, storage_options

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..management.importing import Row
    from ..management.litellm import Found
    from ..store.backend import Backend
    from ..store.importing import Outcome

MOST_BYTES = 512 * 1024 * 1024
"""Of all files together; a key of LiteLLM is one to two kilobytes."""

_BATCH = 500


@click.command("import-litellm")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--project",
    metavar="NAME",
    default="litellm",
    show_default=True,
    help="Where keys go that have no team: a project that is there, or a new one.",
)
@click.option("--yes", is_flag=True, help="Write; without it only what would be done is shown.")
@storage_options
def import_litellm(storage: Storage, output: Output, files: Sequence[str], project: str, yes: bool) -> None:
    """Move keys and teams of LiteLLM, with their budgets and limits: keys of our form go on working.

    FILE is JSON of its API, - is standard input: /key/list?return_full_object=true with all of its pages,
    /team/list, or what /key/info and /team/info show. A team becomes a project, a key a token. Upstream keys are not
    among it: llmproxy project set-key gives them to the projects.

    Nothing is written without --yes. What is there already stays as it is, so it can be run again; keys that cannot
    be moved are listed with the reason, and so is what of them has no place here. The exit status is 1 then.

    \b
    Examples:
      curl -H "Authorization: Bearer $KEY" http://litellm:4000/team/list > teams.json
      curl -H "Authorization: Bearer $KEY" "http://litellm:4000/key/list?return_full_object=true&size=100" > keys.json
      llmproxy db import-litellm teams.json keys.json --env .env
      llmproxy db import-litellm teams.json keys.json --env .env --yes
    """
    found = _read(files)
    if found.bare:
        warn(f"{found.bare} keys are hashes alone: ask LiteLLM with return_full_object=true")
    if not found.keys and not found.teams:
        raise Fault(f"{', '.join(files)}: there is no key and no team of LiteLLM")
    target = located(storage.database_url)
    if target.is_sqlite and target.path is None:
        raise click.UsageError("--database: what is moved into memory is gone when this command ends")
    outcome = _move(found, target, storage, project, yes)
    if not output.as_json and outcome.tables["projects"].moved:
        output.say("Projects that are new have no upstream keys: llmproxy project set-key PROJECT API gives them one.")
    if not output.as_json and any(not str(key.get("key") or "").startswith("sk-") for key in found.keys):
        output.say(
            "Keys that were chosen by hand go on working if they are sk- and 22 characters; a hash does not show it."
        )
    tell(output, "LiteLLM", target, outcome, yes)


def _read(files: Sequence[str]) -> Found:
    import msgspec

    from ..management.importing import Unfit
    from ..management.litellm import Found

    found, left = Found(), MOST_BYTES
    for path in files:
        try:
            content = _content(path, left + 1)
            left -= len(content)
            if left < 0:
                raise Fault(f"{path}: the files are larger than {MOST_BYTES >> 20} MiB: move them one after the other")
            found.take(msgspec.json.decode(content))
        except OSError as error:
            raise Fault(f"{path}: cannot be read: {error.strerror or error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Fault(f"{path}: is not JSON: {error}") from None
        except Unfit as error:
            raise Fault(f"{path}: {error}") from None
    return found


def _content(path: str, most: int) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read(most)
    with open(path, "rb") as file:
        return file.read(most)


class _Source:
    """What was found, a few rows at a time."""

    def __init__(self, found: Found, name: str | None) -> None:
        named = [{**key, "id": key.get("key_alias") or key.get("key_name")} for key in found.keys]
        self._rows: dict[str, Sequence[Row]] = {"projects": [*found.projects(name)], "tokens": named}

    def rows(self, table: str) -> Iterator[Sequence[Row]]:
        rows = self._rows.get(table, ())
        for at in range(0, len(rows), _BATCH):
            yield rows[at : at + _BATCH]


def _move(found: Found, target: Backend, storage: Storage, name: str, writes: bool) -> Outcome:
    from ..management.litellm import LiteLLM, default_project
    from ..sinks.audit import Notes
    from ..store.importing import Import
    from ..store.keyrotation import verify_keys
    from ..store.secrets import KeyRing

    keys = KeyRing.of(storage.encryption_key, storage.old_encryption_keys, required=storage.require_encryption)
    clock: Any = Now()
    notes = Notes(clock)
    with opened_target(target, writes) as connection, Progress("moving keys", len(found.keys)) as advance:
        if connection is not None and writes:
            verify_keys(connection, keys)
        there = _project_called(connection, name)
        moving = Import(
            _Source(found, None if there is not None else name),
            connection,
            cipher=None,
            keys=keys,
            api_for=lambda key: None,
            now=clock.seconds(),
            writes=writes,
            advance=advance,
            form=LiteLLM(there or default_project(name), clock.seconds()),
            into=() if there is None else (there,),
        )
        outcome = moving.run(
            lambda heads: notes.own("audit.open", heads=heads),
            lambda outcome: notes.own("database.import", source="LiteLLM", moved=moved_rows(outcome)),
        )
    del outcome.tables["audit_events"]
    return outcome


def _project_called(connection: Connection | None, name: str) -> str | None:
    from sqlalchemy import select

    from ..store.schema import projects

    if connection is None:
        return None
    found = connection.scalar(select(projects.c.id).where(projects.c.name == name))
    return None if found is None else str(found)
