"""The file of an SQLite database, as long as it is the one that was opened."""

from __future__ import annotations

import os

GONE = (
    "the database file was removed or replaced while the proxy ran, so that nothing can be kept; "
    "put the file back, or restart llmproxy with the one that is there"
)


class Presence:
    """
    SQLite goes on with a file that has no name any more; with the process, all that was written is gone.

    @param path: of the file; C{None} for what is in no file.
    """

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else os.path.abspath(path)
        self._opened: tuple[int, int] | None = None
        self._has_log = False

    def remember(self) -> None:
        """The file that is there now has been opened, by a connection that stays."""
        if self._path is not None:
            self._opened = _identity(self._path)
            self._has_log = os.path.exists(self._path + "-wal")

    def is_there(self) -> bool:
        """Whether what is written is kept: the file has its name, and its log, where the latest changes are."""
        if self._path is None or self._opened is None:
            return True
        if _identity(self._path) != self._opened:
            return False
        # It is removed by the last one who closes the database, and this process has it open.
        return not self._has_log or os.path.exists(self._path + "-wal")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        there = os.stat(path)
    except OSError:
        return None
    return there.st_dev, there.st_ino
