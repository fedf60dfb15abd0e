"""Places of the files of sinks."""

from __future__ import annotations

import os

DIRECTORY = "./data/sinks"


def sinks_directory(database_url: str) -> str | None:
    """
    Where spools and dead letters are: beside the file of an SQLite database, else L{DIRECTORY}; C{None} for a database
    in memory, which leaves nothing behind.

    @param database_url: a URL, or the path of a file; C{""} for none.
    """
    if not database_url:
        return DIRECTORY
    scheme, separator, rest = database_url.partition("://")
    if separator and not scheme.startswith("sqlite"):
        return DIRECTORY
    path = rest.removeprefix("/").partition("?")[0] if separator else database_url
    if path in ("", ":memory:"):
        return None
    return os.path.join(os.path.dirname(path) or ".", "sinks")


def spool_of(directory: str, name: str) -> str:
    """The directory of a sink's spool."""
    return os.path.join(directory, name)


def letters_of(directory: str, name: str) -> str:
    """The file of its dead letters."""
    return os.path.join(directory, f"{name}.dead.jsonl")
