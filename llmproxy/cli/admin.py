"""C{llmproxy admin}."""

from __future__ import annotations

import functools
import os
import pwd
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import click
import msgspec

from ..config.databases import Storage
from ..core.admintokens import RESERVED, new_admin
from ..core.roles import ROLES
from ..errors import ConfigError
from .durations import minutes
from .faults import Conflicting, Fault, NotThere
from .management import Management, segment
from .oldnames import is_old_name
from .output import Output, moment, warn
from .storage import check_revision, located, storage_of, writing
from .target import CONNECT, OPTIONS, connect

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..web.manage.requests import NewAdmin

COLUMNS = ("ID", "Name", "Role", "Token", "Created", "Expires", "Revoked", "Last used")


class Admins(Protocol):
    """Where they are: asked for over the API, or in the database. Each method gives what the API would say."""

    def create(self, wanted: NewAdmin) -> dict[str, Any]: ...

    def list(self) -> list[dict[str, Any]]: ...

    def revoke(self, admin_id: str) -> None: ...


class OverTheApi:
    def __init__(self, api: Management) -> None:
        self._api = api

    def create(self, wanted: NewAdmin) -> dict[str, Any]:
        made: dict[str, Any] = self._api.post("/admins", msgspec.to_builtins(wanted))
        return made

    def list(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._api.get("/admins")
        return found

    def revoke(self, admin_id: str) -> None:
        self._api.delete(f"/admins/{segment(admin_id)}")


class InTheDatabase:
    """
    For the first ones, and where no proxy runs. Proxies that run know of a change at their next request.

    What is done is in the audit log of the database, written with it.
    """

    def __init__(self, storage: Storage) -> None:
        self._location = located(storage.database_url)

    def create(self, wanted: NewAdmin) -> dict[str, Any]:
        from sqlalchemy.exc import IntegrityError

        from ..store.admins import insert_admin
        from ..web.manage.responses import view_of_issued_admin

        lifetime = None if wanted.duration_minutes is msgspec.UNSET else wanted.duration_minutes * 60.0
        admin, secret = new_admin(wanted.name, wanted.role, os.urandom, time.time(), lifetime)
        with self._opened() as connection:
            try:
                insert_admin(connection, admin)
            except IntegrityError:
                raise Conflicting("an admin with this name exists already") from None
            _note(connection, "admin.create", admin_id=admin.id, admin_name=admin.name, role=admin.role)
        return _plain(view_of_issued_admin(admin, secret))

    def list(self) -> list[dict[str, Any]]:
        from ..store.admins import list_admins
        from ..web.manage.responses import view_of_admin

        with self._opened() as connection:
            return [_plain(view_of_admin(admin)) for admin in list_admins(connection)]

    def revoke(self, admin_id: str) -> None:
        from ..store.admins import revoke_admin

        with self._opened() as connection:
            revoked = revoke_admin(connection, admin_id, time.time())
            _note(connection, "admin.revoke", admin_id=admin_id, admin_name="" if revoked is None else revoked.name)

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        with writing(self._location) as connection:
            check_revision(self._location, connection)
            yield connection


def admin_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """
    Give a command the options of those that ask the API, and those for the database itself; call it with
    C{admins} and C{output}.
    """

    @functools.wraps(command)
    def asking(direct: bool, database: str | None, env: str | None, as_json: bool, **options: Any) -> Any:
        given = {name: options.pop(name) for name in CONNECT}
        admins: Admins
        if direct or database:
            admins = InTheDatabase(storage_of(database, env))
        else:
            admins = OverTheApi(connect(**given))
        return command(admins=admins, output=Output(as_json), **options)

    for option in reversed((*OPTIONS, *_DIRECT)):
        asking = option(asking)
    return asking


_DIRECT = (
    click.option("--direct", is_flag=True, help="Work on the database itself, for the first ones: no proxy is asked."),
    click.option("--database", metavar="URL", help="The same, with this one. [DATABASE_URL, DATABASE_PATH]"),
    click.option("--env", metavar="FILE", help="A file of variables, for --direct."),
)


@click.group(invoke_without_command=True)
@click.option("--listen", hidden=True)
@click.option("--api-base-url", hidden=True)
@click.option("--env", "env_file", hidden=True)
@click.option("--management-token", hidden=True)
@click.pass_context
def command(
    context: click.Context,
    listen: str | None,
    api_base_url: str | None,
    env_file: str | None,
    management_token: str | None,
) -> None:
    """Admins of the management API, each with a role.

    An owner may do everything; an operator keeps projects, tokens and the cache; an auditor looks at everything,
    the audit log too, and changes nothing. MANAGEMENT_TOKEN stays the first owner's.

    \b
    Examples:
      llmproxy admin create alice --role operator
      llmproxy admin create ci --role operator --duration 90d --json | jq -r .token
      llmproxy admin create alice --role owner --direct --database postgresql://…
      llmproxy admin list
      llmproxy admin revoke alice
    """
    if context.invoked_subcommand is None:
        _without_command(context, listen, api_base_url, env_file, management_token)


def _without_command(
    context: click.Context,
    listen: str | None,
    api_base_url: str | None,
    env_file: str | None,
    management_token: str | None,
) -> None:
    """The reference serves its pages so: C{admin --listen :8081 --api-base-url http://localhost:8080}."""
    from ..config.dotenv import with_dotenv
    from .admin_ui import DEFAULT_LISTEN, DEFAULT_URL, serve

    if listen is None and api_base_url is None and not is_old_name(context):
        click.echo(context.get_help(), err=True)
        context.exit(2)
    if management_token is not None:
        warn("--management-token is not used: everybody signs in with their own")
    # The Go program reads .env without being asked to, and goes on without one.
    path = env_file or (".env" if is_old_name(context) and os.path.exists(".env") else None)
    try:
        env = with_dotenv(os.environ, path)
    except ConfigError as error:
        raise Fault("; ".join(error.problems)) from None
    url = api_base_url or env.get("ADMIN_UI_API_BASE_URL") or DEFAULT_URL
    where = listen or env.get("ADMIN_UI_LISTEN_ADDR") or DEFAULT_LISTEN
    serve(where, url, "", env.get("TRUSTED_PROXIES", ""))


@command.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the admin may do.")
@click.option("--duration", callback=minutes, help="Minutes, or 12h, 90d. [else until revoked]")
@admin_options
def create_admin(admins: Admins, output: Output, name: str, role: str, duration: int | None) -> None:
    """Create an admin. The token is shown this once and never again.

    \b
    Examples:
      llmproxy admin create alice --role auditor
      llmproxy admin create ci --role operator --duration 90d --direct
    """
    made = admins.create(_wanted(name, role, duration))
    pairs = [("Token", made["token"]), ("ID", made["id"]), ("Name", made["name"]), ("Role", made["role"])]
    output.fields(made, [*pairs, ("Expires", _never(made["expires_at"]))])


@command.command("list")
@click.option("--all", "everybody", is_flag=True, help="Those who were revoked too.")
@admin_options
def show_admins(admins: Admins, output: Output, everybody: bool) -> None:
    """List admins, newest first; never their tokens.

    \b
    Examples:
      llmproxy admin list
      llmproxy admin list --all --json
      llmproxy admin list --direct --env .env
    """
    found = [each for each in admins.list() if everybody or each["revoked_at"] is None]
    nobody = "There are no admins; only MANAGEMENT_TOKEN gives access."
    output.table(found, COLUMNS, (_row(each) for each in found), nobody)


@command.command("revoke")
@click.argument("names", nargs=-1, required=True, metavar="NAME_OR_ID...")
@admin_options
def revoke_admins(admins: Admins, output: Output, names: tuple[str, ...]) -> None:
    """Revoke admins: their next request is refused, and their names are free again.

    \b
    Examples:
      llmproxy admin revoke ada
      llmproxy admin revoke ada --direct --database sqlite:///llmproxy.db
    """
    found = admins.list()
    chosen = [(name, _id(found, name)) for name in names]
    for name, admin_id in chosen:
        admins.revoke(admin_id)
        output.say(f"{name} is revoked.")


def _wanted(name: str, role: str, duration: int | None) -> NewAdmin:
    from ..web.manage.requests import NewAdmin

    if name.lower() in RESERVED:
        raise click.UsageError(f"{name!r} is what the audit log calls others")
    asked = {"name": name, "role": role} | ({} if duration is None else {"duration_minutes": duration})
    try:
        return msgspec.convert(asked, NewAdmin)
    except msgspec.ValidationError as error:
        raise click.UsageError(str(error)) from None


def _id(found: list[dict[str, Any]], name: str) -> str:
    for each in found:
        if each["id"] == name or (each["name"] == name and each["revoked_at"] is None):
            admin_id: str = each["id"]
            return admin_id
    raise NotThere(f"there is no admin {name!r}")


def _note(connection: Connection, action: str, **details: Any) -> None:
    from ..sinks.audit import Notes
    from ..store.audit import append

    clock: Any = _Now()
    notes = Notes(clock)
    record = notes.record(action, "system", "success", {**details, "direct": True, "os_user": _user()})
    append(connection, lambda heads: notes.own("audit.open", heads=heads), [record], clock.seconds())


def _user() -> str:
    """Of the machine, by its own word and not by a variable's."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


class _Now:
    def seconds(self) -> float:
        return time.time()


def _row(admin: dict[str, Any]) -> tuple[Any, ...]:
    return (
        admin["id"],
        admin["name"],
        admin["role"],
        admin["token"],
        moment(admin["created_at"]),
        _never(admin["expires_at"]),
        moment(admin["revoked_at"]),
        moment(admin["last_used_at"]),
    )


def _never(text: str | None) -> str:
    return "never" if text is None else moment(text)


def _plain(view: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(view)
    return plain
