"""The subject of an examination: a configuration, as far as it can be read, and all the secrets in it."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ..config.dotenv import with_dotenv
from ..config.environment import read_storage
from ..config.variables import DEFAULT_CONFIG, SECRETS
from ..core.doctor.cleaning import SET, shown_variable
from ..core.masking import MASKED, Masking
from ..errors import ConfigError

if TYPE_CHECKING:
    from ..app.settings import Settings
    from ..config import APIConfig
    from ..config.databases import Storage

OPTIONS: Mapping[str, Any] = {
    "config": None,
    "database": None,
    "default-api": None,
    "env": None,
    "access-log": None,
    "drain": 30.0,
    "drain-delay": 0.0,
    "listen": (),
    "manage-listen": (),
    "file-event-log": None,
    "admin-ui": False,
    "watch": False,
}
"""Those of C{llmproxy serve}, as they are when nobody says anything."""

_LONGEST_SECRET = 1024 * 1024

_LEAST_WAY = 10
"""Characters of what stands behind the host of a URL and could be a secret: C{/v1} is none."""

_NAMES_SECRET = re.compile("key|secret|passw|token|credential|auth|cookie|dsn|private|salt", re.IGNORECASE)
"""In names of variables that others made."""

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}")
_FILE = re.compile(r"\bfile:(/[^\s,'\"\]}]+)")


@frozen
class Subject:
    """
    @ivar env: the variables that hold, those of a file of variables too.
    @ivar given: those of the environment alone.
    @ivar dotenv: that file; C{None} if there is none.
    @ivar path: of the file of the APIs.
    @ivar settings: the whole of it; C{None} where anything is wrong but the secrets of the proxy's own.
    @ivar apis: the file of the APIs, where that alone can be read.
    @ivar storage: the database, likewise.
    @ivar problems: what is wrong.
    @ivar warnings: what the proxy would warn of at its start.
    @ivar workers: processes.
    @ivar offline: nothing outside of the machines of the configuration is asked.
    """

    env: Mapping[str, str] = field(repr=False)
    given: Mapping[str, str] = field(repr=False)
    dotenv: str | None = None
    path: str = DEFAULT_CONFIG
    settings: Settings | None = None
    apis: APIConfig | None = None
    storage: Storage | None = None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    workers: int = 1
    offline: bool = False

    @property
    def database_url(self) -> str:
        """C{""} where it cannot be understood."""
        if self.settings is not None:
            return self.settings.database_url
        return "" if self.storage is None else self.storage.database_url

    def masking(self) -> Masking:
        """A mask that knows the secrets in here."""
        return Masking(secrets_of(self))


def subject_of(
    options: Mapping[str, Any], given: Mapping[str, str], *, workers: int = 1, offline: bool = False
) -> Subject:
    """
    Read as much of a configuration as can be read.

    @param options: some of L{OPTIONS}.
    @param given: the environment.
    """
    from ..tap import read_settings

    known = {**OPTIONS, **options}
    problems: list[str] = []
    settings: Settings | None = None
    warnings: tuple[str, ...] = ()
    try:
        env = with_dotenv(given, known["env"])
    except ConfigError as error:
        problems += error.problems
        env, known = dict(given), {**known, "env": None}
    path = known["config"] or env.get("API_CONFIG_PATH") or DEFAULT_CONFIG
    try:
        settings, path, found = read_settings(known, given, set())
        warnings = tuple(found)
    except ConfigError as error:
        problems += error.problems
        settings = _otherwise(known, given)
    apis = settings.apis if settings is not None else _apis(path, env, known)
    storage = _storage(env, known)
    if settings is not None:
        problems += _later_problems(settings)
    return Subject(
        env=env,
        given=given,
        dotenv=known["env"],
        path=path,
        settings=settings,
        apis=apis,
        storage=storage,
        problems=tuple(dict.fromkeys(problems)),
        warnings=warnings,
        workers=workers,
        offline=offline,
    )


def _otherwise(options: Mapping[str, Any], given: Mapping[str, str]) -> Settings | None:
    """
    The settings, if nothing is wrong but the secrets of the proxy's own: the rest can be looked at all the same.
    """
    from attrs import evolve

    from ..tap import read_settings

    others = {
        "MANAGEMENT_TOKEN": "0" * 8,
        "ENCRYPTION_KEY": b64encode(bytes(32)).decode(),
        "REQUIRE_ENCRYPTION_KEY": "false",
        **dict.fromkeys(("MANAGEMENT_TOKEN_FILE", "ENCRYPTION_KEY_FILE", "ENCRYPTION_KEY_OLD"), ""),
        **dict.fromkeys(("ENCRYPTION_KEY_OLD_FILE", "METRICS_TOKEN", "METRICS_TOKEN_FILE"), ""),
    }
    try:
        found, _, _ = read_settings(options, {**given, **others}, set())
    except ConfigError:
        return None
    return evolve(found, management_token="", encryption_key=None)


def _apis(path: str, env: Mapping[str, str], options: Mapping[str, Any]) -> APIConfig | None:
    from ..config import load_api_config

    try:
        return load_api_config(path, env=env, default_api=options["default-api"] or env.get("DEFAULT_API_PROVIDER"))
    except ConfigError:
        return None


def _storage(env: Mapping[str, str], options: Mapping[str, Any]) -> Storage | None:
    from attrs import evolve

    # A wrong key of the database is a problem of its own: where the database is can be read all the same.
    env = {**env, "ENCRYPTION_KEY": "", "ENCRYPTION_KEY_FILE": ""}
    if options["database"]:
        env = {**env, "DATABASE_URL": "", "DATABASE_URL_FILE": "", "DB_DRIVER": ""}
    try:
        found = read_storage(env, _read)
    except ConfigError:
        return None
    return evolve(found, database_url=options["database"]) if options["database"] else found


def _later_problems(settings: Settings) -> Iterator[str]:
    """What the start would find: in names that get in each other's way, in sinks, in addresses."""
    from ..app.sinks import check_sinks
    from ..config.listen import check_endpoint
    from ..config.tls import tls_listener

    for call in (settings.apis.routing_table, lambda: check_sinks(settings.apis.sinks)):
        try:
            call()
        except ConfigError as error:
            yield from error.problems
    for option, description in settings.listeners:
        try:
            check_endpoint(description)
            tls_listener(description, settings.apis.tls)
        except ValueError as error:
            yield f"{option}: {error}"


def secrets_of(subject: Subject) -> Iterator[str]:
    """All texts of a configuration that are to stand nowhere."""
    env, settings = subject.env, subject.settings
    for name in SECRETS:
        for text in (env.get(name, ""), _content(env.get(f"{name}_FILE", ""))):
            yield from _parts(text)
    # Whatever is wrong with the rest: what the file of the APIs refers to, and what is named as secrets are.
    text = _content(subject.path)
    for name in {*_REFERENCE.findall(text), *filter(_NAMES_SECRET.search, env)}:
        value = env.get(name, "")
        # REQUIRE_ENCRYPTION_KEY=true, TLS_KEY_FILE=/etc/tls/key.pem: what is named so is not always one.
        if shown_variable(value) == SET and not (value.startswith("/") and os.path.exists(value)):
            yield from _parts(value)
            yield from _way(value)
    for path in _FILE.findall(text):
        yield from _parts(_content(path))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for each in (name, name.upper()):
            yield from _password(env.get(each, ""))
    if subject.database_url:
        yield from _password(subject.database_url)
    if settings is not None:
        yield from filter(None, settings.secrets())
    for api in () if subject.apis is None else subject.apis.apis.values():
        yield from filter(None, (api.key, *(each.key for each in api.upstreams)))
        for fields in (api.headers, *(each.headers for each in api.upstreams)):
            yield from fields.values()
    for sink in () if subject.apis is None else subject.apis.sinks:
        yield from sink.secrets()
        for value in sink.settings.values():
            if isinstance(value, str):
                yield from _way(value)


def without_secrets(text: str, masking: Masking) -> str:
    """A sentence for people: without what is known to be secret, what looks so, and credentials in URLs."""
    from ..config.shown import without_credentials

    return masking.text(without_credentials(text))


def _parts(text: str) -> Iterator[str]:
    """A secret, and those in it: the password of a URL, each key of several, what stands behind C{name=}."""
    path = text.removeprefix("file:") if text.startswith("file:") else ""
    text = _content(path) if path else text.strip()
    if "://" in text:
        yield from _password(text)
        return
    yield text
    for part in text.replace(",", " ").split():
        yield part
        yield part.partition("=")[2]


def _password(url: str) -> Iterator[str]:
    from urllib.parse import unquote

    login, at, _ = url.partition("://")[2].rpartition("@")
    password = login.partition(":")[2]
    if at and password:
        yield from (password, unquote(password), url)


def _way(url: str) -> Iterator[str]:
    """Where a URL leads to on its server: of a webhook that is all that keeps others from using it."""
    way = url.partition("://")[2].partition("/")[2]
    if len(way) >= _LEAST_WAY:
        yield way


def _content(path: str) -> str:
    try:
        return _read(path).strip() if path and os.path.isfile(path) else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read(_LONGEST_SECRET)


__all__ = ["MASKED", "OPTIONS", "Subject", "secrets_of", "subject_of", "without_secrets"]
