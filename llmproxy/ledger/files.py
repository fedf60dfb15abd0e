"""
The files of the ledger: segments by the process that wrote them, and a lock that says whether it lives.

A process has C{WRITER.lock}, which it holds (C{flock}) as long as it lives, and any number of C{WRITER.NUMBER.ledger}.
Who gets the lock of another one may take what that has left behind.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import suppress

from .segment import Segment

_LOCK = re.compile(r"([0-9a-f]{32})\.lock")
_SEGMENT = re.compile(r"([0-9a-f]{32})\.([0-9]{8})\.ledger")

SEGMENT_SIZE = 4 * 1024 * 1024
"""Bytes: some 6,000 exchanges."""


class NoRoom(Exception):
    """C{most_waiting} is reached."""


class LedgerFiles:
    """
    @param most: bytes that all segments in the directory may have together.
    @ivar size: of a usual segment.
    """

    def __init__(self, directory: str, most: int) -> None:
        self.directory = directory
        self._most = most
        self.size = max(64 * 1024, min(SEGMENT_SIZE, most // 16))

    def prepare(self) -> None:
        """
        Make the directory, for its owner alone, and see whether files can be made there.

        @raise OSError: they cannot.
        """
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        probe = os.path.join(self.directory, f".probe-{os.getpid()}-{id(self)}")
        os.close(os.open(probe, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        os.unlink(probe)

    def own(self, writer: str) -> int:
        """
        Take the lock of a process that is new.

        @return: a descriptor, which holds it until it is closed or the process ends.
        @raise OSError: it cannot be made.
        """
        # Under another name first: nobody may find it before it is held.
        new = os.path.join(self.directory, f".new-{writer}")
        fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(new, self._lock(writer))
        except BaseException:
            os.close(fd)
            with suppress(OSError):
                os.unlink(new)
            raise
        return fd

    def take(self, writer: str) -> int | None:
        """The lock of another process, as L{own}; C{None} while that lives, or where somebody else was first."""
        try:
            fd = os.open(self._lock(writer), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_nlink:
                return fd
        except OSError:
            pass
        os.close(fd)
        return None

    def writers(self) -> list[str]:
        """Every process that has files here, dead or alive."""
        found = (_LOCK.fullmatch(name) for name in _names(self.directory))
        return sorted(match[1] for match in found if match is not None)

    def segments(self, writer: str) -> list[str]:
        """The paths of those of a process, in their order."""
        return [os.path.join(self.directory, name) for name in sorted(self._segments_of(writer))]

    def remove(self, writer: str) -> None:
        """All that a process has left behind, its lock last."""
        for path in self.segments(writer):
            os.unlink(path)
        os.unlink(self._lock(writer))

    def new_segment(self, writer: str, number: int, least: int = 0) -> Segment:
        """
        @param least: bytes that it has to have room for.
        @raise NoRoom: see there.
        @raise OSError: the file cannot be made, the disk is full for example.
        """
        size = max(self.size, least)
        if self.held() + size > self._most:
            raise NoRoom("most_waiting is reached")
        return Segment(os.path.join(self.directory, f"{writer}.{number:08d}.ledger"), size)

    def held(self) -> int:
        """Bytes that all segments in the directory have."""
        sizes = 0
        with suppress(OSError), os.scandir(self.directory) as entries:
            for entry in entries:
                if _SEGMENT.fullmatch(entry.name):
                    with suppress(FileNotFoundError):
                        sizes += entry.stat(follow_symlinks=False).st_size
        return sizes

    def _segments_of(self, writer: str) -> Iterator[str]:
        return (name for name in _names(self.directory) if _SEGMENT.fullmatch(name) and name.startswith(writer))

    def _lock(self, writer: str) -> str:
        return os.path.join(self.directory, f"{writer}.lock")


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
