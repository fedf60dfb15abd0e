"""
The spool of a sink: events on disk, in their order, while their receiver is away.

A directory has a slot for each process that writes at the same time. The one that holds its lock reads and writes it;
a slot that nobody holds belonged to a process that has ended, and what is in it is moved to the next one that looks.

Everything blocks, so that it belongs on a thread. Files are 0600, directories 0700.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Sequence

from attrs import define

MOST_SEGMENT = 512 * 1024
"""Bytes of one file: what is read at once."""

MOST_SLOTS = 1024


@define
class _Segment:
    size: int
    count: int


class Spool:
    """
    @param directory: of this sink; it is made when it is needed.
    @param most: bytes on disk of this process; what comes beyond is lost, and counted by the caller.
    @ivar count: events on disk.
    @ivar size: bytes on disk.
    """

    def __init__(self, directory: str, most: int) -> None:
        self._directory = directory
        self._most = most
        self._lock = -1
        self._slot = ""
        self._segments: dict[str, _Segment] = {}
        self._fd = -1
        self._current = ""
        self.count = 0
        self.size = 0

    def look(self) -> int:
        """Take what dead processes have left, if any ever spooled here; how many events wait."""
        if os.path.isdir(self._directory):
            self.open()
            self._adopt()
        return self.count

    def open(self) -> None:
        """Take a slot. Raises L{OSError}, as everything here does."""
        if self._lock < 0:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            self._take_slot()
            self._look()

    def append(self, lines: Sequence[bytes]) -> int:
        """
        Keep lines, each an event, behind what is there.

        @return: how many of them there was no room for.
        """
        self.open()
        written = 0
        for chunk in _chunks(lines):
            data = b"\n".join(chunk) + b"\n"
            if self.size + len(data) > self._most:
                break
            self._write(data, len(chunk))
            written += len(chunk)
        return len(lines) - written

    def put_first(self, lines: Sequence[bytes]) -> int:
        """The same, before everything that is there: what was taken out and not delivered."""
        self.open()
        chunks = list(_chunks(lines))
        lost = 0
        for chunk in reversed(chunks):
            data = b"\n".join(chunk) + b"\n"
            if self.size + len(data) > self._most:
                lost += len(chunk)
                continue
            first = min(self._segments, default="")
            number = int(first.partition("-")[0]) - 1 if first else time.time_ns()
            self._new(_name(number), data, len(chunk))
        return lost

    def first(self) -> tuple[str, list[bytes]] | None:
        """The oldest segment and its lines; it stays until it is L{remove}d. C{None} if nothing is there."""
        self.open()
        while self._segments:
            name = min(self._segments)
            if name == self._current:
                self._close_current()
            try:
                with open(self._path(name), "rb") as file:
                    lines = [line for line in file.read().split(b"\n") if line]
            except FileNotFoundError:
                lines = []
            if lines:
                return name, lines
            self.remove(name)
        return None

    def remove(self, name: str) -> None:
        """Its events are delivered."""
        segment = self._segments.pop(name, None)
        if segment is not None:
            self.size -= segment.size
            self.count -= segment.count
        if name == self._current:
            self._close_current()
        try:
            os.unlink(self._path(name))
        except FileNotFoundError:
            pass

    def close(self) -> None:
        """Have the disk keep it, and let the next process take it."""
        if self._fd >= 0:
            os.fsync(self._fd)
        self._close_current()
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def _write(self, data: bytes, count: int) -> None:
        if self._fd < 0 or self._segments[self._current].size + len(data) > MOST_SEGMENT:
            self._close_current()
            latest = max(self._segments, default="")
            number = max(time.time_ns(), int(latest.partition("-")[0]) + 1 if latest else 0)
            self._current = _name(number)
            self._fd = os.open(self._path(self._current), _FLAGS, 0o600)
            self._segments[self._current] = _Segment(0, 0)
        try:
            _write_all(self._fd, data)
        except OSError:
            # A part of it, which the next line would continue.
            os.ftruncate(self._fd, self._segments[self._current].size)
            raise
        self._grown(self._current, len(data), count)

    def _new(self, name: str, data: bytes, count: int) -> None:
        fd = os.open(self._path(name), _FLAGS, 0o600)
        try:
            _write_all(fd, data)
            os.fsync(fd)
        except OSError:
            os.unlink(self._path(name))
            raise
        finally:
            os.close(fd)
        self._segments[name] = _Segment(0, 0)
        self._grown(name, len(data), count)

    def _grown(self, name: str, size: int, count: int) -> None:
        segment = self._segments[name]
        segment.size += size
        segment.count += count
        self.size += size
        self.count += count

    def _close_current(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._current = -1, ""

    def _path(self, name: str) -> str:
        return os.path.join(self._slot, name)

    # -- slots

    def _take_slot(self) -> None:
        for number in range(MOST_SLOTS):
            slot = os.path.join(self._directory, f"slot-{number}")
            lock = _locked(slot, make=True)
            if lock is not None:
                self._slot, self._lock = slot, lock
                return
        raise OSError(f"{self._directory}: {MOST_SLOTS} processes spool there already")

    def _look(self) -> None:
        """Count what is in the own slot."""
        self._segments = {}
        self.size = self.count = 0
        for name in _segments_in(self._slot):
            with open(self._path(name), "rb") as file:
                data = file.read()
            self._segments[name] = _Segment(0, 0)
            self._grown(name, len(data), data.count(b"\n") or 1)

    def _adopt(self) -> None:
        """Take what is in slots that nobody holds."""
        found = False
        for entry in os.scandir(self._directory):
            if (
                entry.path == self._slot
                or not entry.is_dir(follow_symlinks=False)
                or not entry.name.startswith("slot-")
            ):
                continue
            names = list(_segments_in(entry.path))
            lock = _locked(entry.path) if names else None
            if lock is None:
                continue
            try:
                for name in _segments_in(entry.path):
                    os.rename(os.path.join(entry.path, name), self._path(name))
                    found = True
            finally:
                os.close(lock)
        if found:
            current = self._current
            self._look()
            self._current = current


_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def _name(number: int) -> str:
    """Files sort as they were written, those of other processes among them."""
    return f"{number:020d}-{os.getpid()}.jsonl"


def _segments_in(slot: str) -> list[str]:
    return sorted(name for name in os.listdir(slot) if name.endswith(".jsonl") and name.partition("-")[0].isdigit())


def _locked(slot: str, make: bool = False) -> int | None:
    """The descriptor of the lock of a slot, held; C{None} if another process holds it."""
    if make:
        os.makedirs(slot, mode=0o700, exist_ok=True)
    fd = os.open(os.path.join(slot, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _chunks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Lines in groups of the size of a segment at most, or of one line."""
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        if chunk and size + len(line) + 1 > MOST_SEGMENT:
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += len(line) + 1
    if chunk:
        yield chunk


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
