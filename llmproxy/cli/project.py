"""C{llmproxy project}."""

from __future__ import annotations

from typing import Any

import click

from .limitoptions import limit_options, limits_of, new_limits_of, rows_of
from .lookup import project_id_of
from .management import Management, segment
from .oldnames import prints_old_lines, project_lines, project_rows
from .output import Output, moment
from .secretinput import secret_of_options
from .target import management_options

COLUMNS = ("ID", "Name", "API Key", "Active", "Created", "Updated")

_project = click.argument("project", metavar="PROJECT")
_name = click.option("--name", help="What people call it; no two projects have the same.")
_key = click.option(
    "--api-key",
    "--openai-key",
    "api_key",
    is_flag=False,
    flag_value="",
    metavar="-",
    help="- reads the upstream key from standard input; without a value it is asked for. [UPSTREAM_API_KEY]",
)
_key_file = click.option("--api-key-file", metavar="FILE", help="Holds the upstream key.")


@click.group()
def command() -> None:
    """Projects: keys of providers, and the tokens that spend them. PROJECT is the name or the id of one.

    \b
    Examples:
      llmproxy project create --name team-a --api-key-file key.txt
      llmproxy project set-key team-a anthropic --api-key-file anthropic.txt
      llmproxy project list
      llmproxy project deactivate team-a --revoke-tokens
    """


@command.command("list")
@click.option("--name", help="Only the one with this name.")
@click.option("--active/--inactive", default=None, help="Only active projects, or only inactive ones.")
@management_options
def list_projects(api: Management, output: Output, name: str | None, active: bool | None) -> None:
    """List all projects, by name.

    \b
    Examples:
      llmproxy project list
      llmproxy project list --name search --json
    """
    wanted = {"name": name, "active": None if active is None else str(active).lower()}
    projects = [project for page in api.pages("/projects", **wanted) for project in page]
    if prints_old_lines() and not output.as_json:
        output.lines(project_rows(projects))
        return
    output.table(projects, COLUMNS, (_row(project) for project in projects), "There are no projects.")


@command.command("get")
@_project
@management_options
def get_project(api: Management, output: Output, project: str) -> None:
    """Show one project.

    \b
    Examples:
      llmproxy project get team-a
      llmproxy project get team-a --json
    """
    show(output, api.get(_path(api, project)))


@command.command("create")
@_name
@_key
@_key_file
@click.option("--no-api-key", is_flag=True, help="It has none yet, or needs none.")
@limit_options
@management_options
def create_project(
    api: Management,
    output: Output,
    name: str | None,
    api_key: str | None,
    api_key_file: str | None,
    no_api_key: bool,
    **limits: Any,
) -> None:
    """Create a project. The key is that for the default API; set-key gives it those for others. It is read from a
    file, standard input or a prompt, never from the command line.

    \b
    Examples:
      llmproxy project create --name team-a --api-key-file key.txt
      pass show openai | llmproxy project create --name team-a --api-key - --json
      llmproxy project create --name team-b --no-api-key
      llmproxy project create --name team-c --api-key - --max-budget 500 --budget-duration 1mo
    """
    if not name:
        raise click.UsageError("--name is needed")
    if no_api_key:
        if api_key is not None or api_key_file is not None:
            raise click.UsageError("give --no-api-key or a key, not both")
        show(output, api.post("/projects", {"name": name, "api_keys": {}, **new_limits_of(limits)}))
        return
    key = secret_of_options(api_key, api_key_file, "UPSTREAM_API_KEY", "api-key", "Upstream API key")
    show(output, api.post("/projects", {"name": name, "api_key": key, **new_limits_of(limits)}))


@command.command("update")
@_project
@_name
@_key
@_key_file
@click.option("--active/--inactive", "is_active", default=None, help="An inactive project's tokens are refused.")
@limit_options
@management_options
def update_project(
    api: Management,
    output: Output,
    project: str,
    name: str | None,
    api_key: str | None,
    api_key_file: str | None,
    is_active: bool | None,
    **limits: Any,
) -> None:
    """Change the name, the upstream key, the activity or limits of a project; what is not given stays as it is.

    Of each limit "none" and "default" are no limit.

    \b
    Examples:
      llmproxy project update team-a --name team-b
      llmproxy project update team-a --api-key-file new-key.txt
      llmproxy project update team-a --max-budget 500 --budget-duration 1mo --model 'gpt-4o*' --model 'o3*'
    """
    change: dict[str, Any] = {"name": name, "is_active": is_active}
    if api_key is not None or api_key_file is not None:
        change["api_key"] = secret_of_options(api_key, api_key_file, "", "api-key", "Upstream API key")
    change = {field: value for field, value in change.items() if value is not None}
    change |= limits_of(limits)
    if not change:
        words = "nothing to change: give --name, --api-key, --api-key-file, --active, --inactive or a limit"
        raise click.UsageError(words)
    show(output, api.patch(_path(api, project), change))


@command.command("reset-budget")
@_project
@management_options
def reset_budget(api: Management, output: Output, project: str) -> None:
    """Count what a project spends anew from now on.

    \b
    Examples:
      llmproxy project reset-budget team-a
    """
    show(output, api.post(_path(api, project) + "/budget/reset"))


@command.command("rotate-key")
@_project
@click.option("--api", "of_api", metavar="API", help="The API of the key; without it, the default API.")
@_key
@_key_file
@management_options
def rotate_key(
    api: Management,
    output: Output,
    project: str,
    of_api: str | None,
    api_key: str | None,
    api_key_file: str | None,
) -> None:
    """Put another key in the place of a project's, effective at once at every proxy.

    \b
    Examples:
      llmproxy project rotate-key team-a --api-key-file new-key.txt
      llmproxy project rotate-key team-a --api anthropic --api-key -
    """
    key = secret_of_options(api_key, api_key_file, "UPSTREAM_API_KEY", "api-key", "New upstream API key")
    wanted = {"api_key": key} if of_api is None else {"api_key": key, "api": of_api}
    show(output, api.post(_path(api, project) + "/rotate-key", wanted))


@command.command("set-key")
@_project
@click.argument("of_api", metavar="API")
@_key
@click.option(
    "--api-key-file",
    "api_key_files",
    multiple=True,
    metavar="FILE",
    help="Holds the upstream key; given several times, the project has several for this API.",
)
@management_options
def set_key(
    api: Management, output: Output, project: str, of_api: str, api_key: str | None, api_key_files: tuple[str, ...]
) -> None:
    """Give a project its key for one API, in the place of what it had for it; keys for other APIs stay.

    \b
    Examples:
      llmproxy project set-key team-a anthropic --api-key-file key.txt
      pass show gemini | llmproxy project set-key team-a gemini --api-key -
    """
    what = f"Upstream key for {of_api}"
    files = api_key_files or (None,)
    keys = [secret_of_options(api_key, file, "UPSTREAM_API_KEY", "api-key", what) for file in files]
    change = {"api_keys": {of_api: keys if len(keys) > 1 else keys[0]}}
    show(output, api.patch(_path(api, project), change))


@command.command("unset-key")
@_project
@click.argument("of_api", metavar="API")
@management_options
def unset_key(api: Management, output: Output, project: str, of_api: str) -> None:
    """Take away a project's key for one API: its tokens are refused there from now on.

    \b
    Example:
      llmproxy project unset-key team-a anthropic
    """
    show(output, api.patch(_path(api, project), {"api_keys": {of_api: None}}))


@command.command("activate")
@_project
@management_options
def activate_project(api: Management, output: Output, project: str) -> None:
    """Let a project's tokens in again; revoked ones stay revoked.

    \b
    Examples:
      llmproxy project activate team-a
    """
    show(output, api.patch(_path(api, project), {"is_active": True}))


@command.command("deactivate")
@_project
@click.option("--revoke-tokens", is_flag=True, help="Revoke all of its tokens too: that cannot be undone at once.")
@management_options
def deactivate_project(api: Management, output: Output, project: str, revoke_tokens: bool) -> None:
    """Refuse a project's tokens, and end the streams that they have running.

    \b
    Examples:
      llmproxy project deactivate team-a
      llmproxy project deactivate team-a --revoke-tokens
    """
    change: dict[str, Any] = {"is_active": False}
    if revoke_tokens:
        change["revoke_tokens"] = True
    show(output, api.patch(_path(api, project), change))


@command.command("revoke-tokens")
@_project
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@management_options
def revoke_tokens(api: Management, output: Output, project: str, yes: bool) -> None:
    """Revoke all tokens of a project.

    \b
    Examples:
      llmproxy project revoke-tokens team-a
      llmproxy project revoke-tokens team-a --yes
    """
    if not yes:
        click.confirm(f"Revoke all tokens of project {project}?", abort=True, err=True)
    counts = api.post(_path(api, project) + "/tokens/revoke")
    words = f"{counts['revoked_count']} of {counts['total_tokens']} tokens revoked"
    output.say(f"{words}; {counts['already_revoked_count']} were revoked before.", counts)


@command.command("delete", hidden=True)
@_project
@management_options
def delete_project(api: Management, output: Output, project: str) -> None:
    """Projects are deactivated, not deleted: the server says so."""
    output.say("Deleted.", api.delete(_path(api, project)))


def show(output: Output, project: dict[str, Any]) -> None:
    if prints_old_lines() and not output.as_json:
        output.lines(project_lines(project))
        return
    pairs = [*zip(COLUMNS, _row(project), strict=True)]
    # A proxy of an earlier release has no keys by API.
    for number, (name, keys) in enumerate(project.get("api_keys", {}).items()):
        shown = ", ".join(keys) if isinstance(keys, list) else keys
        pairs.append(("" if number else "By API", f"{name}: {shown}"))
    if project.get("deactivated_at"):
        pairs.append(("Deactivated", moment(project["deactivated_at"])))
    pairs += rows_of(project)
    output.fields(project, pairs)


def _row(project: dict[str, Any]) -> tuple[Any, ...]:
    created, updated = moment(project["created_at"]), moment(project["updated_at"])
    return project["id"], project["name"], project["api_key"], project["is_active"], created, updated


def _path(api: Management, project: str) -> str:
    return f"/projects/{segment(project_id_of(api, project))}"
