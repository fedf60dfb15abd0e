"""Settings of the ledger."""

from __future__ import annotations

import os

from attrs import frozen

DAY = 86_400.0

LEAST_WAITING = 1024 * 1024
"""Bytes: room for a segment of each of a few processes."""


@frozen
class LedgerOptions:
    """
    @ivar enabled: C{False} for no records of single exchanges at all.
    @ivar directory: where its files are; C{None} is beside the file of an SQLite database, else C{./data/ledger}.
    @ivar fsync: seconds after which the disk is made to keep what was written: what a loss of power may lose; C{None}
        when the operating system likes to.
    @ivar keep_records: seconds for which single records stay in the database; C{None} for ever.
    @ivar most_waiting: bytes of files that wait for the database.
    @ivar own_process: a proxy that is busy has a process that writes records into the database.
    """

    enabled: bool = True
    directory: str | None = None
    fsync: float | None = 1.0
    keep_records: float | None = 90 * DAY
    most_waiting: int = 1024**3
    own_process: bool = True


DIRECTORY = "./data/ledger"


def ledger_directory(said: str | None, database_url: str) -> str | None:
    """
    Where the files are; C{None} for an SQLite database in memory: nothing of it could be settled after a crash.

    @param said: by the configuration.
    @param database_url: a URL, or the path of a file.
    """
    scheme, separator, rest = database_url.partition("://")
    if separator and not scheme.startswith("sqlite"):
        return said or DIRECTORY
    path = rest.removeprefix("/").partition("?")[0] if separator else database_url
    if path in ("", ":memory:"):
        return None
    return said or os.path.join(os.path.dirname(path) or ".", "ledger")
