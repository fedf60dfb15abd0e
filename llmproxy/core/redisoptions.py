"""Options of connections to one Redis, whatever it is used for; C{redis://user:password@host:port/0}, C{rediss://}, C{unix://}."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import evolve, field, frozen

PORT = 6379
CONNECTIONS = 4
"""The reference has fifty, as each of its commands takes one for itself, while ours share them."""

TIMEOUT = 1.0
"""Seconds."""

PREFIX = "llmproxy:"

_PARAMETERS = ("ca_file", "db", "password", "username")


@frozen
class RedisLocation:
    """
    @ivar path: of a Unix socket; C{""} is none, then C{host} and C{port} count.
    @ivar tls: with the server's certificate verified for C{host}.
    @ivar ca_file: PEM file of the authorities to trust instead of the system's.
    """

    host: str = "localhost"
    port: int = PORT
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    tls: bool = False
    ca_file: str | None = None
    path: str = ""

    @property
    def label(self) -> str:
        """For logs: no credential."""
        if self.path:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis{'s' * self.tls}://{host}:{self.port}/{self.database}"


@frozen
class RedisOptions:
    """
    @ivar pool: connections; commands share them.
    @ivar timeout: seconds for connecting, and for Redis to say anything at all while a reply is due.
    @ivar prefix: what keys of limits and events begin with; the cache has its own.
    """

    location: RedisLocation = field(factory=RedisLocation)
    pool: int = CONNECTIONS
    timeout: float = TIMEOUT
    prefix: str = PREFIX


def parse_redis_url(text: str, password: str | None = None) -> RedisLocation:
    """
    @param password: used where the URL holds none.
    @raise ValueError: it is no such URL; the sentence holds nothing of it, as it may hold a password.
    """
    try:
        parts = urlsplit(text)
        port = parts.port or PORT
    except ValueError:
        raise ValueError("expected a URL such as redis://host:6379/0") from None
    if parts.scheme not in ("redis", "rediss", "unix") or parts.fragment:
        raise ValueError("expected a URL such as redis://host:6379/0, rediss://host:6380/0 or unix:///run/redis.sock")
    found = RedisLocation(
        host=parts.hostname or "localhost",
        port=port,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=parts.scheme == "rediss",
    )
    if parts.scheme == "unix":
        found = evolve(found, path=unquote(parts.path))
        if not found.path:
            raise ValueError("expected a path, as in unix:///run/redis.sock")
    elif parts.path.strip("/"):
        found = evolve(found, database=_database(parts.path.strip("/")))
    return _completed(_with_parameters(found, parts.query), password)


def _with_parameters(location: RedisLocation, query: str) -> RedisLocation:
    given = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(set(given) - set(_PARAMETERS))
    if unknown:
        raise ValueError(f"unknown parameter {unknown[0][:40]!r} (known: {', '.join(_PARAMETERS)})")
    return evolve(
        location,
        database=_database(given["db"]) if "db" in given else location.database,
        username=given.get("username", location.username),
        password=given.get("password", location.password),
        ca_file=given.get("ca_file"),
    )


def _completed(location: RedisLocation, password: str | None) -> RedisLocation:
    if location.ca_file is not None and not location.tls:
        raise ValueError("ca_file is for rediss:// only")
    if location.password is None and password:
        location = evolve(location, password=password)
    if location.username is not None and location.password is None:
        raise ValueError("a user name needs a password (in the URL, or REDIS_PASSWORD)")
    return location


def _database(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 5:
        raise ValueError("expected a database number, as in redis://host:6379/0")
    return int(text)
