"""C{llmproxy encryption}."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ..config.databases import Storage
from .faults import Fault
from .output import Output, Progress
from .storage import check_revision, faults_of, located, reading, storage_options

if TYPE_CHECKING:
    from ..store.backend import Backend
    from ..store.keyrotation import Resealing
    from ..store.secrets import KeyRing

_WORDS = {
    "plain": "not encrypted",
    "v1": "of an earlier form (enc:v1), without the id of its key",
    "unknown": "of a form that this release does not know",
}


@click.group()
def command() -> None:
    """Upstream keys at rest: with which key they are encrypted, and changing that while the proxy runs.

    The keys are ENCRYPTION_KEY and ENCRYPTION_KEY_OLD (or <NAME>_FILE): base64 of 32 bytes, as
    `openssl rand -base64 32` makes it.

    \b
    To replace a key while proxies run:
      1. give every proxy the new one as ENCRYPTION_KEY_OLD, beside its present ENCRYPTION_KEY
      2. then give every proxy the new one as ENCRYPTION_KEY, the former as ENCRYPTION_KEY_OLD
      3. llmproxy encryption rotate
      4. when llmproxy encryption status shows nothing under the former key, forget it
    """


@command.command()
@storage_options
def status(storage: Storage, output: Output) -> None:
    """Show how many upstream keys are encrypted with which key. Changes nothing.

    Ends with 1 if there are some that the configured keys do not open, or that are not
    encrypted though REQUIRE_ENCRYPTION_KEY is set.

    \b
    Examples:
      llmproxy encryption status --env .env
    """
    from ..store.keyrotation import survey

    keys, location = _keys(storage), located(storage.database_url)
    with reading(location) as connection:
        check_revision(location, connection)
        forms = survey(connection)
    ids = [cipher.id for cipher in keys]
    value = {"current_key": keys.current, "old_keys": ids[1:], "upstream_keys": dict(forms)}
    output.table(value, ("Upstream keys", "Encrypted with"), _rows(forms, ids), "There are no upstream keys.")
    lost = set(forms) - {"plain", "v1", *ids}
    if lost or (keys.required and forms["plain"]):
        raise Fault("some upstream keys cannot be read with what is configured")


@command.command()
@storage_options
def migrate(storage: Storage, output: Output) -> None:
    """Encrypt what is not encrypted yet, and give what earlier releases encrypted the id of its key.

    \b
    Example:
      ENCRYPTION_KEY_FILE=key llmproxy encryption migrate --database sqlite:///data/llm-proxy.db
    """
    _reseal(storage, output, lambda form: form in ("plain", "v1"))


@command.command()
@storage_options
def rotate(storage: Storage, output: Output) -> None:
    """Encrypt everything with ENCRYPTION_KEY that is encrypted with another key, or not at all.

    \b
    Example:
      ENCRYPTION_KEY_FILE=new ENCRYPTION_KEY_OLD_FILE=old llmproxy encryption rotate
    """
    _reseal(storage, output, lambda form: True)


def _keys(storage: Storage) -> KeyRing:
    from ..store.secrets import KeyRing

    return KeyRing.of(storage.encryption_key, storage.old_encryption_keys, required=storage.require_encryption)


def _rows(forms: Counter[str], ids: list[str]) -> list[tuple[int, str]]:
    def words(form: str) -> str:
        if form in ids:
            name = "ENCRYPTION_KEY" if form == ids[0] else "ENCRYPTION_KEY_OLD"
            return f"key {form}, {name}"
        return _WORDS.get(form) or f"key {form}, which is not configured"

    return [(count, words(form)) for form, count in sorted(forms.items())]


def _reseal(storage: Storage, output: Output, concerns: Callable[[str], bool]) -> None:
    from ..store.secrets import KeyRing

    if storage.encryption_key is None:
        raise Fault("ENCRYPTION_KEY is not set")
    # What is not encrypted is read here: it is what is to be encrypted.
    keys = KeyRing.of(storage.encryption_key, storage.old_encryption_keys)
    location = located(storage.database_url)
    total = _check(location)
    done = _run(location, keys, concerns, total)
    value = {"encrypted": done.sealed, "changed_meanwhile": done.overtaken, "failed": done.failed}
    output.say(f"{done.sealed} upstream keys were encrypted with the key {keys.current}.", value)
    if done.overtaken:
        raise Fault(f"{done.overtaken} were changed at that moment: run it again")
    if done.failed:
        raise Fault(f"no configured key opens the upstream keys of these projects: {', '.join(done.failed)}")


def _check(location: Backend) -> int:
    """How many upstream keys there are."""
    from ..store.keyrotation import survey

    with reading(location) as connection:
        check_revision(location, connection)
        return sum(survey(connection).values())


def _run(location: Backend, keys: KeyRing, concerns: Callable[[str], bool], total: int) -> Resealing:
    from ..store.keyrotation import reseal

    engine = location.engine()
    try:
        with faults_of(location), Progress("encrypting", total) as advance:
            return reseal(engine, keys, concerns, advance)
    finally:
        engine.dispose()
