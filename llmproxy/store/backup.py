"""Backups of SQLite: the file itself, copied while it is in use, by SQLite's own online backup."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ..errors import ConfigError

MAGIC = b"SQLite format 3\0"
"""What a file of SQLite begins with."""

_PAGES = 1000
"""Pages that are copied before writers get their turn."""


@contextmanager
def new_file(path: str, force: bool) -> Iterator[str]:
    """
    The name of a file, 0600, that becomes C{path} when all is written; until then there is none of that name.

    @param force: one of that name is replaced.
    @raise FileExistsError: there is one.
    """
    if not force and os.path.exists(path):
        raise FileExistsError(path)
    partial = f"{path}.{os.getpid()}.partial"
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        yield partial
        _sync(partial, os.O_RDWR)
        if force:
            os.replace(partial, path)
        else:
            # Unlike a renaming it does not replace what came meanwhile.
            os.link(partial, path)
            os.unlink(partial)
        _sync(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY)
    finally:
        if os.path.exists(partial):
            os.unlink(partial)


def copy_sqlite(source: str, target: str, progress: Callable[[int, int], object]) -> None:
    """
    Copy a database that others use, to a file that is there and empty.

    @param progress: called with the pages that are copied, and that there are.
    @raise ConfigError: what came out is damaged.
    """
    uri = f"{Path(source).absolute().as_uri()}?mode=ro"

    def copied(_: int, left: int, total: int) -> None:
        progress(total - left, total)

    with closing(sqlite3.connect(uri, uri=True)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.backup(writing, pages=_PAGES, progress=copied, sleep=0.01)
        # Without its log beside it the copy is one file.
        writing.execute("PRAGMA journal_mode=DELETE")
        [found] = writing.execute("PRAGMA quick_check").fetchone()
        if found != "ok":
            raise ConfigError(f"the copy is damaged: {found}")


def _sync(path: str, flags: int) -> None:
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
