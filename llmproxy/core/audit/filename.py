"""The name of a database's audit file where nobody says one: each database has a file of its own."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

from .settings import DEFAULT_FILE

_PORTS = {"postgresql": 5432, "mysql": 3306}
_KINDS = {"postgres": "postgresql", "mariadb": "mysql"}
_OTHER = re.compile(r"[^A-Za-z0-9_-]+")


def file_of(database_url: str, usual_database: str) -> str:
    """
    Beside the file of SQLite; for a server in C{./data}, named after the database and where it is, not after who
    connects to it.

    @param database_url: as it is configured; a text without a scheme is the path of an SQLite file.
    @param usual_database: the path of the database that is used where nothing is said: its file is L{DEFAULT_FILE}.
    """
    scheme, separator, _ = database_url.partition("://")
    if not separator or scheme.partition("+")[0] == "sqlite":
        path = database_url.split("?")[0].partition("://")[2][1:] if separator else database_url
        return _beside(path, usual_database)
    return os.path.join(os.path.dirname(DEFAULT_FILE), f"audit-{_server(database_url)}.log")


def _beside(path: str, usual_database: str) -> str:
    if path in ("", ":memory:"):
        return os.path.join(os.path.dirname(DEFAULT_FILE), "audit-memory.log")
    if os.path.normpath(path) == os.path.normpath(usual_database):
        return DEFAULT_FILE
    return f"{path}.audit.log"


def _server(url: str) -> str:
    parts = urlsplit(url)
    scheme = parts.scheme.partition("+")[0]
    kind = _KINDS.get(scheme, scheme)
    name = parts.path.strip("/")
    places = sorted(pair for pair in parse_qsl(parts.query) if pair[0] in ("host", "port", "unix_socket"))
    host = parts.netloc.rpartition("@")[2].lower().removesuffix(f":{_PORTS.get(kind)}")
    digest = sha256(repr((kind, host, name, places)).encode()).hexdigest()[:8]
    return f"{_OTHER.sub('-', name)[:40] or kind}-{digest}"
