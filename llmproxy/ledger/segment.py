"""Segments of the ledger: a file that is mapped into memory, and what stands in for it where there can be none."""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

from ..core.ledger.frames import ENDED, KIND, frames

_KIND_AT = 8
"""Where the kind stands in a frame."""

UNFINISHED = ".new-"
"""What the name of a file begins with that is being made."""

READ_AT_ONCE = 512 * 1024
"""Bytes, of which a few thousand exchanges are made: more than any frame has."""


class ISegment(Protocol):
    """
    A place for frames, which only grows.

    @ivar end: where the next frame goes.
    @ivar settled: up to where the database has everything.
    @ivar on_disk: it outlives the process.
    """

    settled: int
    on_disk: bool

    @property
    def end(self) -> int: ...

    def append(self, frame: bytes) -> bool:
        """Whether there was room for it."""

    def contents(self, start: int) -> Iterator[tuple[int, bytes, int]]:
        """See L{frames}; those of the next L{READ_AT_ONCE} bytes."""

    def is_there(self) -> bool:
        """Whether what is noted in it can be found, as far as it ever can."""

    def remove(self) -> None:
        """It is not needed any more."""

    def close(self) -> None:
        """Leave it to those who come later."""


class Segment:
    """
    A file of zeros, all of whose blocks are there before the first byte is written: writing to it cannot fail any more,
    and a full disk is found out while it is made. What was written to it outlives the process from that moment on.

    As long as it is open it is locked (C{flock}), so that others see that its process lives. It takes one descriptor.

    @param size: bytes.
    @raise OSError: it cannot be made; nothing is left of it then.
    @ivar dirty: something was written since it was last synced.
    """

    on_disk = True

    def __init__(self, path: str, size: int) -> None:
        self._path = path
        # Under another name first: nobody may find it before it is locked.
        new = os.path.join(os.path.dirname(path), UNFINISHED + os.path.basename(path))
        fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            preallocate(fd, size)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # It has a duplicate of the descriptor, which holds the lock.
            self._mapped = mmap.mmap(fd, size)
            os.rename(new, path)
        except BaseException:
            os.unlink(new)
            raise
        finally:
            os.close(fd)
        self._size = size
        self.end = self.settled = 0
        self.dirty = True

    def append(self, frame: bytes) -> bool:
        start = self.end
        end = start + len(frame)
        if end > self._size:
            return False
        self._mapped[start:end] = frame
        self.end = end
        self.dirty = True
        return True

    def contents(self, start: int) -> Iterator[tuple[int, bytes, int]]:
        return _from(start, self._mapped[start : min(self.end, start + READ_AT_ONCE)])

    def sync(self) -> None:
        """Have the disk keep what was written; blocks, and does not hold up those who write meanwhile."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            # It was removed meanwhile.
            return
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def is_there(self) -> bool:
        """Whether another process can find it: a file without a name is gone with its process."""
        return os.path.exists(self._path)

    def remove(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        self.close()

    def close(self) -> None:
        self._mapped.close()


class MemorySegment:
    """
    In place of a file: it ends with its process.

    @param size: bytes.
    """

    on_disk = False

    def __init__(self, size: int) -> None:
        self._data = bytearray()
        self._size = size
        self.settled = 0

    @property
    def end(self) -> int:
        return len(self._data)

    def append(self, frame: bytes) -> bool:
        if len(self._data) + len(frame) > self._size:
            return False
        self._data += frame
        return True

    def contents(self, start: int) -> Iterator[tuple[int, bytes, int]]:
        return _from(start, bytes(self._data[start : start + READ_AT_ONCE]))

    def is_there(self) -> bool:
        return True

    def remove(self) -> None:
        self._data = bytearray()

    def close(self) -> None:
        """There is nothing to leave."""


class NoSegment:
    """
    Where there is no room at all.

    @ivar lost: exchanges whose end was to be noted.
    """

    on_disk = False
    end = settled = 0

    def __init__(self) -> None:
        self.lost = 0

    def append(self, frame: bytes) -> bool:
        self.lost += frame[_KIND_AT] & KIND == ENDED
        return True

    def contents(self, start: int) -> Iterator[tuple[int, bytes, int]]:
        return iter(())

    def is_there(self) -> bool:
        return True

    def remove(self) -> None:
        """There is nothing."""

    def close(self) -> None:
        """Likewise."""


def _from(start: int, data: bytes) -> Iterator[tuple[int, bytes, int]]:
    for kind, content, end in frames(data):
        yield kind, content, start + end


def preallocate(fd: int, size: int) -> None:
    """
    Have the system give all blocks of a file now: the first write to one that it cannot give would kill the process
    (SIGBUS), as it is to memory.

    @raise OSError: the disk is full.
    """
    allocate = getattr(os, "posix_fallocate", None)
    if allocate is not None:
        allocate(fd, 0, size)
        return
    piece = bytes(64 * 1024)
    while size > 0:
        size -= os.write(fd, piece[:size])
