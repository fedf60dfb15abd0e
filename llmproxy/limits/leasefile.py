"""
The file of a process's leases: what it could hand back of each, which outlives it.

It is mapped into memory, so that to note an amount is to store a number; the system keeps it when the process is
killed. As long as the process lives the file is locked (C{flock}): who gets the lock of another's file knows that it is
dead.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Container, Iterator, MutableSequence
from contextlib import suppress
from mmap import mmap
from typing import TYPE_CHECKING, cast

from twisted.logger import Logger

if TYPE_CHECKING:
    from ..core.limits.leasing import Account

ROWS = 8192
"""Leases that are noted at once; what further ones hold counts as spent where the process is killed."""

_NAME = re.compile(r"([0-9a-f]{32})\.leases")
_NEW = ".new-"
_ROW = 16


class LeaseFile:
    """
    @param holder: what the process is called, 32 hexadecimal digits.
    @raise OSError: it cannot be made.
    """

    def __init__(self, directory: str, holder: str) -> None:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self._path = os.path.join(directory, f"{holder}.leases")
        # Under another name first: nobody may find it before it is locked.
        new = os.path.join(directory, f"{_NEW}{holder}.leases")
        fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            # Written, so that its blocks are there: storing a number cannot fail any more.
            os.write(fd, bytes(ROWS * _ROW))
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._map = mmap(fd, ROWS * _ROW)
            os.rename(new, self._path)
        except BaseException:
            os.unlink(new)
            raise
        finally:
            # The map has a descriptor of its own, which keeps the lock.
            os.close(fd)
        self._cells = memoryview(self._map).cast("q")
        self._free = list(range(ROWS))[::-1]
        self._rows: dict[int, int] = {}

    def place(self, serial: int) -> tuple[MutableSequence[int], int] | None:
        """Where to note what could be handed back of a lease, in 10^-12 USD; C{None} where there is no room."""
        row = self._rows.get(serial)
        if row is None:
            if not self._free:
                return None
            row = self._rows[serial] = self._free.pop()
            self._cells[row * 2 + 1] = 0
            self._cells[row * 2] = serial
        return cast("MutableSequence[int]", self._cells), row * 2 + 1

    def drop(self, serial: int) -> None:
        """Nothing is held of it any more."""
        row = self._rows.pop(serial, None)
        if row is not None:
            self._cells[row * 2 + 1] = 0
            self._cells[row * 2] = 0
            self._free.append(row)

    def close(self, *, remove: bool) -> None:
        """
        Give up the lock.

        @param remove: the database has all that there is to know; else another process looks at it.
        """
        if self._map.closed:
            return
        if remove:
            with suppress(OSError):
                os.unlink(self._path)
        self._cells.release()
        self._map.close()


class LeaseNotes:
    """
    What this process could hand back of its leases, in a file if there can be one.

    @param directory: C{None} for nowhere.
    @param holder: what the process is called.
    """

    _log = Logger()

    def __init__(self, directory: str | None, holder: str) -> None:
        self._directory = directory
        self._holder = holder
        self._file: LeaseFile | None = None

    def make(self) -> bool:
        """Have a file from now on; whether there is one that was not there before."""
        directory = self._directory
        if self._file is not None or directory is None:
            return False
        try:
            self._file = LeaseFile(directory, self._holder)
        except OSError as error:
            self._directory = None
            words = "limits: {directory}: {why}. What this process leases of budgets counts as spent if it is killed"
            self._log.warn(words, directory=directory, why=error.strerror or error)
        return self._file is not None

    def begin(self, account: Account) -> None:
        """From now on it notes what could be handed back of it."""
        place = None if self._file is None else self._file.place(account.serial)
        account.cells, account.cell = ([0], 0) if place is None else place
        account.note()

    def drop(self, account: Account) -> None:
        """Nothing is held of it any more."""
        account.cells, account.cell = [0], 0
        if self._file is not None:
            self._file.drop(account.serial)

    def dead(self, foreign: Container[str] = ()) -> Iterator[DeadLeases]:
        """
        See L{dead_in}.

        @param foreign: holders that are passed over.
        """
        return iter(()) if self._directory is None else dead_in(self._directory, self._holder, foreign)

    def close(self, *, remove: bool) -> None:
        """See L{LeaseFile.close}."""
        file, self._file = self._file, None
        if file is not None:
            file.close(remove=remove)


class DeadLeases:
    """A file that a dead process has left, locked."""

    def __init__(self, holder: str, path: str, fd: int) -> None:
        self.holder = holder
        self._path = path
        self._fd = fd

    def available(self) -> dict[int, int]:
        """By the serial of each lease, what could be handed back of it; what is broken says nothing."""
        data = os.pread(self._fd, ROWS * _ROW, 0)
        cells = memoryview(data[: len(data) // _ROW * _ROW]).cast("q")
        return {cells[at]: cells[at + 1] for at in range(0, len(cells), 2) if cells[at] > 0}

    def age(self, now: float) -> float:
        """Seconds since it was made."""
        return now - os.fstat(self._fd).st_mtime

    def remove(self) -> None:
        """It has been read, and what it says is in the database."""
        with suppress(OSError):
            os.unlink(self._path)

    def close(self) -> None:
        os.close(self._fd)


def dead_in(directory: str, own: str, foreign: Container[str] = ()) -> Iterator[DeadLeases]:
    """
    What dead processes have left. Who takes one closes it.

    @param own: the holder that is this process.
    @param foreign: holders that are passed over.
    """
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return
    for name in names:
        match = _NAME.fullmatch(name)
        if match is not None and match[1] != own and match[1] not in foreign:
            dead = _taken(match[1], os.path.join(directory, name))
            if dead is not None:
                yield dead


def _taken(holder: str, path: str) -> DeadLeases | None:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_nlink:
            return DeadLeases(holder, path, fd)
    except OSError:
        pass
    os.close(fd)
    return None
