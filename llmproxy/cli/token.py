"""C{llmproxy token}."""

from __future__ import annotations

from typing import Any

import click

from ..config.units import parse_duration
from .connecting import management_options
from .management import Management, segment
from .showing import Output, moment

COLUMNS = ("ID", "Token", "Project", "Active", "Requests", "Expires", "Last used", "Created")


def minutes(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """C{1440}, or with a unit: C{90s}, C{12h}, C{30d}."""
    try:
        seconds = int(value) * 60 if value.isdecimal() else _seconds(value)
    except ValueError:
        words = f"expected minutes, or a duration such as 12h or 30d, got {value!r}"
        raise click.BadParameter(words, context, parameter) from None
    if seconds < 60:
        raise click.BadParameter("at least a minute", context, parameter)
    return int(seconds // 60)


def uses(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """A number of requests, or C{unlimited}: 0, as the API has it."""
    if value is None or value == "unlimited":
        return None if value is None else 0
    if not value.isdecimal():
        raise click.BadParameter("expected a number of requests, or unlimited", context, parameter)
    return int(value)


def _seconds(text: str) -> float:
    if text.endswith("d") and text[:-1].isdecimal():
        return int(text[:-1]) * 86_400
    return parse_duration(text)


@click.group()
def command() -> None:
    """Withering tokens: they expire, may be limited in number of requests, and can be revoked.

    \b
    Examples:
      llmproxy token create --project-id 0f8c… --duration 30d --max-requests 1000
      llmproxy token list --project-id 0f8c…
      llmproxy token revoke 7be1…
    """


@command.command("list")
@click.option("--project-id", metavar="ID", help="Only those of one project.")
@management_options
def list_tokens(api: Management, output: Output, project_id: str | None) -> None:
    """List tokens, newest first; never their secrets."""
    tokens = [token for page in api.pages("/tokens", projectId=project_id) for token in page]
    output.table(tokens, COLUMNS, (_row(token) for token in tokens), "There are no tokens.")


@command.command("get")
@click.argument("token_id")
@management_options
def get_token(api: Management, output: Output, token_id: str) -> None:
    """Show one token, by its id."""
    show(output, api.get(_path(token_id)))


@command.command("create")
@click.option("--project-id", metavar="ID", required=True, help="Whose upstream key it spends.")
@click.option("--duration", callback=minutes, default="1440", show_default=True, help="Minutes, or 12h, 30d.")
@click.option("--max-requests", callback=uses, help="How many requests it is good for. [else unlimited]")
@management_options
def create_token(api: Management, output: Output, project_id: str, duration: int, max_requests: int | None) -> None:
    """Create a token. Its secret is shown this once and never again.

    \b
    Examples:
      llmproxy token create --project-id 0f8c… --duration 30d
      llmproxy token create --project-id 0f8c… --max-requests 1000 --json | jq -r .token
    """
    wanted: dict[str, Any] = {"project_id": project_id, "duration_minutes": duration}
    if max_requests is not None:
        wanted["max_requests"] = max_requests
    issued(output, api.post("/tokens", wanted))


@command.command("update")
@click.argument("token_id")
@click.option("--active/--inactive", "is_active", default=None, help="An inactive token is refused.")
@click.option("--max-requests", callback=uses, help="How many requests it is good for in all, or unlimited.")
@management_options
def update_token(
    api: Management, output: Output, token_id: str, is_active: bool | None, max_requests: int | None
) -> None:
    """Change what a token is good for; what is not given stays as it is."""
    change = {"is_active": is_active, "max_requests": max_requests}
    change = {field: value for field, value in change.items() if value is not None}
    if not change:
        raise click.UsageError("nothing to change: give --max-requests, --active or --inactive")
    show(output, api.patch(_path(token_id), change))


@command.command("revoke")
@click.argument("token_ids", nargs=-1, required=True, metavar="TOKEN_ID...")
@management_options
def revoke_token(api: Management, output: Output, token_ids: tuple[str, ...]) -> None:
    """Revoke tokens, and end the streams that they have running. Revoked already is the same as revoked."""
    for token_id in token_ids:
        api.delete(_path(token_id))
        output.say(f"{token_id} is revoked.")


def issued(output: Output, token: dict[str, Any]) -> None:
    pairs = [("Token", token["token"]), ("ID", token["id"]), ("Expires", moment(token["expires_at"]))]
    if "max_requests" in token:
        pairs.append(("Requests", token["max_requests"]))
    output.fields(token, pairs)


def show(output: Output, token: dict[str, Any]) -> None:
    pairs = [*zip(COLUMNS, _row(token), strict=True), ("Cache hits", token["cache_hit_count"])]
    output.fields(token, pairs)


def _row(token: dict[str, Any]) -> tuple[Any, ...]:
    limit = "unlimited" if token["max_requests"] is None else token["max_requests"]
    return (
        token["id"],
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
