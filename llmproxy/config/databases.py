"""Databases as operators write them: the URL, and the key that it is encrypted with."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import quote

from attrs import field, frozen

SCHEMES = {"sqlite": "sqlite", "postgres": "postgres", "postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql"}
_MYSQL_DSN = re.compile(r"([^:@/]*)(?::(.*))?@tcp\(([^)]+)\)/([^?]*)(?:\?.*)?", re.DOTALL)


@frozen
class Storage:
    """Where the database is, and what it is encrypted with."""

    database_url: str = field(repr=False)
    encryption_key: bytes | None = field(repr=False)
    old_encryption_keys: tuple[bytes, ...] = field(repr=False)
    require_encryption: bool
    pool_size: int


class EncryptionKey(bytes):
    """
    32 bytes.

    @ivar source: where they come from, for people.
    """

    source: str


def parse_encryption_key(text: str) -> bytes:
    """
    Base64 of 32 bytes, as C{openssl rand -base64 32} makes it.

    @raise ValueError: it is not; the sentence does not hold it.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("expected base64 of 32 bytes (openssl rand -base64 32)") from None
    if len(key) != 32:
        raise ValueError(f"encryption key must be exactly 32 bytes, got {len(key)} (openssl rand -base64 32)")
    return key


def sqlite_url(path: str) -> str:
    """The URL of an SQLite database, of one in memory for C{:memory:}."""
    return "sqlite://" if path == ":memory:" else f"sqlite:///{path}"


def database_url(text: str) -> tuple[str, str]:
    """
    A URL, and which database it is one of; a DSN of Go's MySQL driver becomes a URL.

    @raise ValueError: neither; the sentence holds no password.
    """
    dsn = _MYSQL_DSN.fullmatch(text)
    if dsn:
        user, password, host, name = dsn.groups()
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
        return f"mysql://{login}@{host}/{name}", "mysql"
    scheme, separator, _ = text.partition("://")
    driver = SCHEMES.get(scheme.partition("+")[0]) if separator else None
    if driver is None:
        raise ValueError(
            "expected a URL such as sqlite:///data/llm-proxy.db, postgresql://user:password@host/name "
            "or mysql://user:password@host/name"
        )
    return text, driver
