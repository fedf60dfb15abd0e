"""
A file of events, a line each, which is continued in another one when it is long or old enough.

Several processes may append to it. Each takes a lock for one batch, so that lines stand whole, one behind the other,
and one process alone rotates; the others find the new file.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen


@frozen
class Rotation:
    """
    @ivar size: bytes after which another file is begun; 0 for never.
    @ivar every: seconds after which one is, by the clock: C{86400} is at midnight UTC; 0 for never.
    @ivar keep: how many files are kept besides, C{path.1} the latest.
    @ivar compresses: those that are kept are C{path.1.gz} and so on.
    """

    size: int = 0
    every: float = 0.0
    keep: int = 10
    compresses: bool = False


class EventFile:
    """
    Blocks, so that it belongs on a thread. Every method raises L{OSError}.

    @param sync: has the disk keep a batch before it counts as written.
    """

    def __init__(self, path: str, rotation: Rotation, sync: bool = False) -> None:
        self._path = path
        self._rotation = rotation
        self._sync = sync
        self._fd = -1

    def append(self, data: bytes, now: float) -> None:
        """
        Write all of it, or nothing.

        @param data: whole lines.
        @param now: seconds since the epoch.
        """
        with self._locked() as lock:
            self._open()
            size = os.fstat(self._fd).st_size
            if size and self._is_due(lock, size + len(data), now):
                self._rotate()
                size = 0
            if not size:
                _write_text(lock, f"{now:.0f}")
            self._write(data, size)
            if self._sync:
                os.fsync(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    @contextmanager
    def _locked(self) -> Iterator[int]:
        directory = os.path.dirname(self._path)
        if directory:
            os.makedirs(directory, mode=0o700, exist_ok=True)
        lock = os.open(self._path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock
        finally:
            os.close(lock)

    def _open(self) -> None:
        """Whatever the path is now: others rotate it, or move it away."""
        if self._fd >= 0 and not _is(self._fd, self._path):
            self.close()
        if self._fd < 0:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(self._path, flags, 0o600)

    def _is_due(self, lock: int, size: int, now: float) -> bool:
        rotation = self._rotation
        if rotation.size and size > rotation.size:
            return True
        begun = _read_number(lock)
        return bool(rotation.every and begun is not None and begun // rotation.every != now // rotation.every)

    def _rotate(self) -> None:
        self.close()
        self._forget(self._rotation.keep)
        for number in range(self._rotation.keep - 1, 0, -1):
            for ending in ("", ".gz"):
                if os.path.exists(f"{self._path}.{number}{ending}"):
                    self._forget(number + 1)
                    os.replace(f"{self._path}.{number}{ending}", f"{self._path}.{number + 1}{ending}")
        if self._rotation.keep:
            os.replace(self._path, f"{self._path}.1")
            if self._rotation.compresses:
                self._compress(f"{self._path}.1")
        else:
            os.unlink(self._path)
        self._open()

    def _forget(self, number: int) -> None:
        for ending in ("", ".gz"):
            if number and os.path.exists(f"{self._path}.{number}{ending}"):
                os.unlink(f"{self._path}.{number}{ending}")

    def _compress(self, path: str) -> None:
        """The file beside it is whole before the other one goes."""
        new = f"{path}.gz.new"
        if os.path.lexists(new):
            os.unlink(new)
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(path, "rb") as plain, os.fdopen(fd, "wb") as raw, gzip.open(raw, "wb") as packed:
            shutil.copyfileobj(plain, packed, 1024 * 1024)
        os.replace(new, f"{path}.gz")
        os.unlink(path)

    def _write(self, data: bytes, size: int) -> None:
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            # Half a line of a process that was killed ends here, so that the next one is whole.
            data = b"\n" + data
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            os.ftruncate(self._fd, size)
            raise


def _is(fd: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(fd), there)


def _read_number(fd: int) -> float | None:
    try:
        return float(os.pread(fd, 32, 0))
    except ValueError:
        return None


def _write_text(fd: int, text: str) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, text.encode(), 0)
