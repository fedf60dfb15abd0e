"""C{llmproxy token}."""

from __future__ import annotations

from typing import Any

import click

from .durations import minutes, seconds
from .limitoptions import limit_options, limits_of, new_limits_of, rows_of
from .lookup import project_id_of, token_ids_of, token_of_secret
from .management import Management, segment
from .oldnames import prints_old_lines, token_lines
from .output import Output, moment
from .target import management_options

COLUMNS = ("ID", "Name", "Token", "Project", "Active", "Requests", "Expires", "Last used", "Created")


def uses(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """A number of requests, or C{unlimited}: 0, as the API has it."""
    if value is None or value == "unlimited":
        return None if value is None else 0
    if not value.isdecimal():
        raise click.BadParameter("expected a number of requests, or unlimited", context, parameter)
    return int(value)


_name = click.option("--name", help="What people call it.")
_metadata = click.option("--metadata", multiple=True, metavar="NAME=VALUE", help="What is to be noted; repeatable.")


_project = click.option("--project", "--project-id", "project", metavar="NAME", help="Name or id of a project.")


def pairs_of(texts: tuple[str, ...]) -> dict[str, str]:
    """
    @raise click.UsageError: one has no equals sign.
    """
    pairs = [text.partition("=") for text in texts]
    if not all(name and equals for name, equals, _ in pairs):
        raise click.UsageError("--metadata: expected NAME=VALUE")
    return {name: value for name, _, value in pairs}


def flag(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


@click.group()
def command() -> None:
    """Withering tokens: they expire, may be limited in number of requests, and can be revoked.

    \b
    Examples:
      llmproxy token create --project search --duration 30d --max-requests 1000
      llmproxy token list --project search
      llmproxy token revoke 7be1…
      pbpaste | llmproxy token revoke -
    """


@command.command("list")
@_project
@click.option("--name", help="Only those with this name.")
@click.option("--active/--revoked", default=None, help="Only those that are let in, or are not.")
@click.option("--expired/--not-expired", default=None, help="Only expired tokens, or only others.")
@management_options
def list_tokens(
    api: Management,
    output: Output,
    project: str | None,
    name: str | None,
    active: bool | None,
    expired: bool | None,
) -> None:
    """List tokens, newest first; never their secrets. With --project only those of one.

    \b
    Examples:
      llmproxy token list
      llmproxy token list --project search --active --json
    """
    project_id = None if project is None else project_id_of(api, project)
    wanted = {"projectId": project_id, "name": name, "active": flag(active), "expired": flag(expired)}
    tokens = [token for page in api.pages("/tokens", **wanted) for token in page]
    output.table(tokens, COLUMNS, (_row(token) for token in tokens), "There are no tokens.")


@command.command("get")
@click.argument("token_id")
@management_options
def get_token(api: Management, output: Output, token_id: str) -> None:
    """Show one token, by its id.

    \b
    Examples:
      llmproxy token get 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed
    """
    show(output, api.get(_path(token_id)))


@command.command("find")
@click.argument("secret", required=False, metavar="[-]")
@click.option("--hash", "digest", metavar="SHA256", help="Its hash in hexadecimal, if the secret itself is not known.")
@management_options
def find_token(api: Management, output: Output, secret: str | None, digest: str | None) -> None:
    """Show the token that a secret belongs to: one that was found where it should not be.

    The secret is read from standard input (-) or a prompt and stays on this machine: the server is asked by its hash.

    \b
    Examples:
      pbpaste | llmproxy token find -
      llmproxy token find --hash 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    """
    show(output, token_of_secret(api, secret, digest))


@command.command("create")
@_project
@click.option("--duration", callback=minutes, default="1440", show_default=True, help="Minutes, or 12h, 30d.")
@click.option("--max-requests", callback=uses, help="How many requests it is good for. [else unlimited]")
@_name
@_metadata
@limit_options
@management_options
def create_token(
    api: Management,
    output: Output,
    project: str | None,
    duration: int,
    max_requests: int | None,
    name: str | None,
    metadata: tuple[str, ...],
    **limits: Any,
) -> None:
    """Create a token, which spends the upstream keys of its project. Its secret is shown this once and never again.

    Of each limit "none" is no limit; without the option the default of the configuration holds.

    \b
    Examples:
      llmproxy token create --project search --duration 30d
      llmproxy token create --project search --max-requests 1000 --json | jq -r .token
      llmproxy token create --project search --max-budget 50 --budget-duration 1mo --model 'gpt-4o*'
    """
    if project is None:
        raise click.UsageError("--project is needed: a name or an id, see llmproxy project list")
    wanted: dict[str, Any] = {"project_id": project_id_of(api, project), "duration_minutes": duration}
    if max_requests is not None:
        wanted["max_requests"] = max_requests
    if name is not None:
        wanted["name"] = name
    if metadata:
        wanted["metadata"] = pairs_of(metadata)
    issued(output, api.post("/tokens", wanted | new_limits_of(limits)))


@command.command("update")
@click.argument("token_id")
@click.option("--active/--inactive", "is_active", default=None, help="An inactive token is refused.")
@click.option("--max-requests", callback=uses, help="How many requests it is good for in all, or unlimited.")
@click.option("--expires", metavar="TIME", help="RFC 3339: when it ends, a year from now at most.")
@_name
@_metadata
@limit_options
@management_options
def update_token(
    api: Management,
    output: Output,
    token_id: str,
    is_active: bool | None,
    max_requests: int | None,
    expires: str | None,
    name: str | None,
    metadata: tuple[str, ...],
    **limits: Any,
) -> None:
    """Change what a token is good for; what is not given stays as it is. An empty --name takes it away.

    Of each limit "none" is no limit, and with "default" that of the configuration holds again.

    \b
    Examples:
      llmproxy token update 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed --max-requests 5000
      llmproxy token update 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed --expires 30d
      llmproxy token update 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed --rpm-limit 60 --tpm-limit none
    """
    change: dict[str, Any] = {"is_active": is_active, "max_requests": max_requests, "expires_at": expires}
    change = {field: value for field, value in change.items() if value is not None}
    if name is not None:
        change["name"] = name or None
    if metadata:
        change["metadata"] = pairs_of(metadata)
    change |= limits_of(limits)
    if not change:
        words = "nothing to change: give --max-requests, --expires, --name, --active, --inactive or a limit"
        raise click.UsageError(words)
    show(output, api.patch(_path(token_id), change))


@command.command("reset-budget")
@click.argument("token_id")
@management_options
def reset_budget(api: Management, output: Output, token_id: str) -> None:
    """Count what a token spends anew from now on.

    \b
    Examples:
      llmproxy token reset-budget 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed
    """
    show(output, api.post(f"{_path(token_id)}/budget/reset"))


@command.command("rotate")
@click.argument("token_id")
@click.option("--overlap", callback=seconds, metavar="TIME", help="How long the old secret stays good. [else 1h]")
@click.option("--duration", callback=minutes, metavar="TIME", help="A new end, from now: minutes, or 12h, 30d.")
@management_options
def rotate_token(api: Management, output: Output, token_id: str, overlap: int | None, duration: int | None) -> None:
    """Give a token a new secret, which is shown this once; the old one stays good for a while.

    \b
    Examples:
      llmproxy token rotate 7be1…
      llmproxy token rotate 7be1… --overlap 0 --duration 30d
    """
    wanted = {"overlap_seconds": overlap, "duration_minutes": duration}
    issued(output, api.post(f"{_path(token_id)}/rotate", {k: v for k, v in wanted.items() if v is not None}))


@command.command("revoke")
@click.argument("token_ids", nargs=-1, required=True, metavar="TOKEN_ID...")
@management_options
def revoke_token(api: Management, output: Output, token_ids: tuple[str, ...]) -> None:
    """Revoke tokens, and end the streams that they have running. Revoked already is the same as revoked.

    A - is a secret on standard input.

    \b
    Examples:
      llmproxy token revoke 7be1…
      pbpaste | llmproxy token revoke -
    """
    for token_id in token_ids_of(api, token_ids):
        api.delete(_path(token_id))
        output.say(f"{token_id} is revoked.")


def issued(output: Output, token: dict[str, Any]) -> None:
    if prints_old_lines() and not output.as_json:
        output.lines(token_lines(token))
        return
    pairs = [("Token", token["token"]), ("ID", token["id"]), ("Expires", moment(token["expires_at"]))]
    if "max_requests" in token:
        pairs.append(("Requests", token["max_requests"]))
    if "previous_expires_at" in token:
        pairs.append(("Old secret ends", moment(token["previous_expires_at"])))
    output.fields(token, pairs)


def show(output: Output, token: dict[str, Any]) -> None:
    pairs = [*zip(COLUMNS, _row(token), strict=True), ("Cache hits", token["cache_hit_count"])]
    if token.get("reserved_lost"):
        pairs.append(("Reserved, lost", f"{token['reserved_lost']} (of a process that died; not given out again)"))
    pairs.append(("Metadata", token.get("metadata")))
    pairs += rows_of(token)
    output.fields(token, pairs)


def _row(token: dict[str, Any]) -> tuple[Any, ...]:
    limit = "unlimited" if token["max_requests"] is None else token["max_requests"]
    return (
        token["id"],
        token.get("name"),
        token["token"],
        token["project_id"],
        token["is_active"],
        f"{token['request_count']} / {limit}",
        "never" if token["expires_at"] is None else moment(token["expires_at"]),
        moment(token["last_used_at"]),
        moment(token["created_at"]),
    )


def _path(token_id: str) -> str:
    return f"/tokens/{segment(token_id)}"
