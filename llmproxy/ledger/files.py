"""
The files of the ledger: segments by the process that wrote them, each locked as long as that lives.

A process has any number of C{WRITER.NUMBER.ledger}. Who gets the lock (C{flock}) of the last one of another process may
take all that it has left behind.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress

from .segment import UNFINISHED, Segment

_SEGMENT = re.compile(r"([0-9a-f]{32})\.([0-9]{8})\.ledger")

UNFINISHED_FOR = 60.0
"""Seconds after which nobody is making a file any more."""

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
        self._remove_unfinished()

    def take(self, writer: str) -> int | None:
        """
        The lock of a process that has died: a descriptor, which holds it until it is closed. C{None} while that lives,
        or where somebody else was first.
        """
        paths = self.segments(writer)
        if not paths:
            return None
        try:
            # A process that lives has all of its files open; its last one is the last that goes.
            fd = os.open(paths[-1], os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_nlink and self.segments(writer)[-1:] == paths[-1:]:
                return fd
        except OSError:
            pass
        os.close(fd)
        return None

    def writers(self) -> list[str]:
        """Every process that has files here, dead or alive."""
        found = (_SEGMENT.fullmatch(name) for name in _names(self.directory))
        return sorted({match[1] for match in found if match is not None})

    def segments(self, writer: str) -> list[str]:
        """The paths of those of a process, in their order."""
        return [os.path.join(self.directory, name) for name in sorted(self._segments_of(writer))]

    def remove(self, writer: str) -> None:
        """All that a process has left behind, the one that is locked last."""
        for path in self.segments(writer):
            os.unlink(path)

    def new_segment(self, writer: str, number: int, least: int = 0) -> Segment:
        """
        @param least: bytes that it has to have room for.
        @raise NoRoom: see there.
        @raise OSError: the file cannot be made, the disk is full for example.
        """
        size = max(self.size, least)
        # Somebody may have removed it.
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
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

    def _remove_unfinished(self) -> None:
        """Files of processes that were killed while they made them."""
        for name in _names(self.directory):
            path = os.path.join(self.directory, name)
            with suppress(OSError):
                if name.startswith(UNFINISHED) and os.stat(path).st_mtime < time.time() - UNFINISHED_FOR:
                    os.unlink(path)

    def _segments_of(self, writer: str) -> Iterator[str]:
        return (name for name in _names(self.directory) if _SEGMENT.fullmatch(name) and name.startswith(writer))


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        # It is not there, or is none.
        return []
