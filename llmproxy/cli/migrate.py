"""C{llmproxy migrate}: the schema and the keys at rest, by the names and with the output of the Go program."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from .faults import Fault
from .output import warn
from .storage import check_revision, faults_of, located, reading, storage_of, warn_of_password, writing

if TYPE_CHECKING:
    from ..config.databases import Storage


@click.group(hidden=True)
def command() -> None:
    """The schema of the database, and its keys at rest; llmproxy db and llmproxy encryption do the same.

    \b
    Examples:
      llmproxy migrate up
      llmproxy migrate status --db data/llm-proxy.db
    """


def _database(command: Callable[..., None]) -> Callable[..., None]:
    """Give it C{--db}, and C{--env} as other commands have it."""
    for option in (
        click.option("--env", metavar="FILE", help="A file of variables; those that are set already stay as they are."),
        click.option("--db", metavar="FILE", help="sqlite:///path, or a path. [DATABASE_URL, DATABASE_PATH]"),
    ):
        command = option(command)
    return command


def _storage(db: str | None, env: str | None) -> Storage:
    warn_of_password("--db", db)
    return storage_of(db, env)


@command.command()
@_database
def up(db: str | None, env: str | None) -> None:
    """Apply all migrations that are missing.

    \b
    Examples:
      llmproxy migrate up
    """
    from ..store.migrate import migrate

    location = located(_storage(db, env).database_url)
    try:
        location.make_file()
    except OSError as error:
        raise Fault(f"{location.label}: cannot open: {error.strerror or error}") from None
    with writing(location) as connection:
        migrate(connection)
    click.echo("Migrations applied successfully")


@command.command()
@click.option("--yes", is_flag=True, help="Lose what the earlier revision has no place for.")
@click.option("--force", is_flag=True, help="Even if others have the database open.")
@_database
def down(db: str | None, env: str | None, yes: bool, force: bool) -> None:
    """Take the last migration back; llmproxy db downgrade says more.

    \b
    Examples:
      llmproxy migrate down
    """
    from .db_downgrade import take_step_back

    take_step_back(located(_storage(db, env).database_url), yes, force)
    click.echo("Migration rolled back successfully")


@command.command()
@_database
def status(db: str | None, env: str | None) -> None:
    """Show the number of the last migration; 0 is none.

    \b
    Examples:
      llmproxy migrate status
    """
    from ..store.migrate import revision_of

    location = located(_storage(db, env).database_url)
    if location.path is not None and not os.path.exists(location.path):
        click.echo("Current migration version: 0")
        return
    with reading(location) as connection:
        found = revision_of(connection)
    click.echo(f"Current migration version: {int(found) if found and found.isdecimal() else found or 0}")


@command.command()
@click.pass_context
@_database
def version(context: click.Context, **options: Any) -> None:
    """The same as status.

    \b
    Examples:
      llmproxy migrate version
    """
    context.invoke(status, **options)


@command.command()
@_database
def encrypt(db: str | None, env: str | None) -> None:
    """Encrypt upstream keys that are not encrypted, with ENCRYPTION_KEY. Tokens are hashes always.

    \b
    Examples:
      ENCRYPTION_KEY_FILE=key llmproxy migrate encrypt --db data/llm-proxy.db
    """
    from ..store.keyrotation import reseal
    from ..store.secrets import KeyRing

    storage = _storage(db, env)
    if storage.encryption_key is None:
        raise Fault("ENCRYPTION_KEY environment variable is required. Generate one with: openssl rand -base64 32")
    keys = KeyRing.of(storage.encryption_key, storage.old_encryption_keys)
    total, _, tokens = _counted(storage)
    click.echo("Encrypting API keys...")
    location = located(storage.database_url)
    engine = location.engine()
    try:
        with faults_of(location):
            done = reseal(engine, keys, lambda form: form in ("plain", "v1"))
    finally:
        engine.dispose()
    if done.failed:
        raise Fault(f"no configured key opens the upstream keys of these projects: {', '.join(done.failed)}")
    if done.overtaken:
        raise Fault(f"{done.overtaken} were changed at that moment: run it again")
    click.echo(f"  API keys: {done.sealed} encrypted, {total - done.sealed} already encrypted (skipped)")
    click.echo("Hashing tokens...")
    click.echo(f"  Tokens: 0 hashed, {tokens} already hashed (skipped)")
    click.echo("\nEncryption migration completed successfully!")


@command.command("encrypt-status")
@_database
def encrypt_status(db: str | None, env: str | None) -> None:
    """Show how many upstream keys are encrypted.

    \b
    Examples:
      llmproxy migrate encrypt-status --db data/llm-proxy.db
    """
    total, plain, tokens = _counted(_storage(db, env))
    click.echo("Database Encryption Status\n==========================")
    click.echo(f"\nAPI Keys:\n  Encrypted: {total - plain}\n  Plaintext: {plain}")
    if plain:
        warn(f"{plain} API keys are stored in plaintext")
    elif total:
        click.echo("  All API keys are encrypted")
    click.echo(f"\nTokens:\n  Hashed: {tokens}\n  Plaintext: 0")
    if tokens:
        click.echo("  All tokens are hashed")


def _counted(storage: Storage) -> tuple[int, int, int]:
    """Upstream keys, those of them that are not encrypted, and tokens."""
    from sqlalchemy import func, select

    from ..store.keyrotation import survey
    from ..store.schema import tokens

    location = located(storage.database_url)
    with reading(location) as connection:
        check_revision(location, connection)
        forms = survey(connection)
        count = connection.scalar(select(func.count()).select_from(tokens)) or 0
    return sum(forms.values()), forms["plain"], count
