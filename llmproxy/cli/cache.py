"""C{llmproxy cache}."""

from __future__ import annotations

from typing import Any

import click

from .lookup import project_id_of
from .management import Management
from .output import Output
from .target import management_options


@click.group()
def command() -> None:
    """The cache: show statistics, purge entries.

    \b
    Examples:
      llmproxy cache stats
      llmproxy cache purge --url /v1/models
      llmproxy cache purge --all
    """


@command.command("purge")
@click.option("--method", help="With --url: of the answers; without, those to GET and POST.")
@click.option("--url", help="An address as clients send it, query included: every variant of it.")
@click.option("--prefix", help="All addresses that begin like this.")
@click.option("--project", metavar="NAME", help="Only what was stored for this project: its name or id.")
@click.option("--project-id", metavar="ID", help="The same, taken as it is.")
@click.option("--api", "api_name", metavar="NAME", help="Only of this API; addresses are relative to it then.")
@click.option("--all", "everything", is_flag=True, help="Everything.")
@management_options
def purge(api: Management, output: Output, everything: bool, project: str | None, **given: str | None) -> None:
    """Purge stored answers, in all workers, and with Redis for all proxies that share it.

    \b
    Examples:
      llmproxy cache purge --url '/v1/models?limit=5'
      llmproxy cache purge --prefix /v1/files --project team-a
      llmproxy cache purge --project team-a
      llmproxy cache purge --all
    """
    body: dict[str, Any] = {name.removesuffix("_name"): value for name, value in given.items() if value}
    if project:
        body["project_id"] = project_id_of(api, project)
    if everything:
        body["all"] = True
    if not body.keys() - {"method"}:
        raise click.UsageError("nothing to purge: give --url, --prefix, --project, --api or --all")
    answer = api.post("/cache/purge", body)
    output.say(_words(body, answer["deleted"]), answer)


@command.command("stats")
@management_options
def stats(api: Management, output: Output) -> None:
    """Show what the cache holds and did, in all workers, since they were started.

    \b
    Examples:
      llmproxy cache stats
      llmproxy cache stats --json
    """
    found = api.get("/cache/stats")
    output.fields(found, _pairs(found))


def _words(body: dict[str, Any], deleted: bool | int) -> str:
    if deleted is True:
        return "Cache entry deleted successfully."
    if deleted is False:
        return "Cache entry was not found."
    kind = "prefix " if "prefix" in body else ""
    return f"Cache {kind}purge completed: {deleted} {'entry' if deleted == 1 else 'entries'} deleted."


def _pairs(found: dict[str, Any]) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in found.items():
        if name == "redis":
            pairs += [(f"redis {_label(each)}", content) for each, content in (value or {}).items()]
        else:
            pairs.append((_label(name), value))
    answered = found["hits"] + found["misses"]
    pairs.insert(3, ("hit ratio", f"{found['hits'] / answered:.1%}" if answered else None))
    return pairs


def _label(name: str) -> str:
    return name.replace("_", " ")
