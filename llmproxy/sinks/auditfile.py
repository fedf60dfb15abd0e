"""
The audit log as a file: one chain from its first record to its last, over all files that it was continued in.

Several processes may append to it. Each takes a lock for one append and reads on which record it follows: all
of them write one chain, so that nothing can be taken out of it, not even everything that one process wrote.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

from attrs import frozen
from twisted.logger import Logger

from ..core.audit.chain import Anchor, Chain
from ..core.audit.settings import KEEP_FILES, MAX_FILE
from ..core.audit.verify import OPENED, SEALED, TORN
from .audittail import file_number, last_link, last_of, tail_of

if TYPE_CHECKING:
    from ..core.audit.chain import Linked
    from ..core.audit.record import AuditRecord


@frozen
class System:
    """What the file is written with; tests put failing disks here."""

    write: Callable[[int, bytes], int] = os.write
    truncate: Callable[[int, int], None] = os.ftruncate
    sync: Callable[[int], None] = os.fsync


class AuditFile:
    """
    Blocks, so that it belongs on a thread. Every method raises L{OSError}.

    @param note: makes a record of the log's own: action and details.
    @param max_bytes: when the file would be longer it is sealed, and continued in another.
    @param keep: how many sealed files are kept besides, C{path.1} the latest.
    """

    _log = Logger()

    def __init__(
        self,
        path: str,
        note: Callable[..., AuditRecord],
        *,
        max_bytes: int = MAX_FILE,
        keep: int = KEEP_FILES,
        system: System | None = None,
    ) -> None:
        self._path = path
        self._note = note
        self._max_bytes = max_bytes
        self._keep = keep
        self._system = system or System()
        self._fd = -1
        self._end = -1
        self._chain: Chain | None = None
        self._number = 0
        self._is_fresh = False
        self._skip = 0

    def append(self, records: Sequence[AuditRecord]) -> Anchor:
        """
        Write all of them, or none.

        @return: where the chain has come to.
        """
        with self._locked():
            self._open()
            records = records[self._skip :]
            links = self._linked(records)
            if self._end + _size(links) > self._max_bytes and self._number and not self._is_fresh:
                self._rotate()
                links = self._linked(records)
            self._write_new(links)
            assert self._chain is not None
            return self._chain.anchor()

    def _write_new(self, links: list[Linked]) -> None:
        assert self._chain is not None
        before = self._chain.count
        try:
            self._write(links)
        except OSError:
            # Whole lines that could not be taken back are not written again.
            self._skip += self._chain.count - before
            raise
        self._skip = 0

    def sync(self) -> None:
        """Have the disk keep what was written."""
        if self._fd >= 0:
            self._system.sync(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # Not the file itself, which is renamed while the lock is held.
        lock = os.open(self._path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _open(self) -> None:
        """Stand at the end of the file, whatever wrote or moved it meanwhile."""
        if self._fd >= 0 and not _is(self._fd, self._path):
            self.close()
        if self._fd < 0:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(self._path, flags, 0o600)
            self._end = -1
        size = os.fstat(self._fd).st_size
        if size != self._end:
            self._find_place(size)

    def _find_place(self, size: int) -> None:
        if size == 0:
            self._begin()
            return
        tail = tail_of(self._fd, size)
        last, torn = last_link(tail)
        if last is None:
            self._move_aside()
            return
        self._end = size
        self._continue_from(last)
        self._number = file_number(self._path)
        self._is_fresh = last.record.action == OPENED
        if torn:
            self._append(b"\n", [])
            assert self._chain is not None
            self._write(self._chain.linked([self._note(TORN, bytes=len(torn))]))

    def _continue_from(self, last: Linked) -> None:
        """Follow the last record that is there; if this process wrote later ones, they are missed from now on."""
        mine = self._chain
        if mine is not None and mine.id == last.chain and mine.count > last.seq:
            self._say_lost(last.seq, mine.count)
            return
        if mine is not None and mine.id != last.chain:
            self._log.error(
                "the audit log {path} was replaced by another one, which is continued; {count} records are not in it",
                path=self._path,
                count=mine.count,
            )
        self._chain = Chain(last.chain, last.seq, last.hash)

    def _say_lost(self, kept: int, written: int) -> None:
        self._log.error(
            "the audit log {path} has lost records {first} to {last}, which were written: it was cut, or removed",
            path=self._path,
            first=kept + 1,
            last=written,
        )

    def _begin(self) -> None:
        """The first record of a file says which one it is, and which is the oldest that is kept."""
        before = last_of(f"{self._path}.1")
        if self._chain is not None and self._chain.count:
            sealed = before.seq if before is not None and before.chain == self._chain.id else 0
            if sealed < self._chain.count:
                # Neither this process nor another one has sealed what it had written.
                self._say_lost(sealed, self._chain.count)
        if before is not None and (self._chain is None or before.seq > self._chain.count):
            self._chain = Chain(before.chain, before.seq, before.hash)
        if self._chain is None:
            self._chain = Chain(uuid4().hex)
        self._number = max(self._number, 0 if before is None else file_number(f"{self._path}.1")) + 1
        self._end = 0
        oldest = max(1, self._number - self._keep)
        self._write(self._chain.linked([self._note(OPENED, file=self._number, oldest=oldest)]))
        self._is_fresh = True

    def _rotate(self) -> None:
        assert self._chain is not None
        self._write(self._chain.linked([self._note(SEALED, file=self._number, records=self._chain.count + 1)]))
        self.sync()
        self.close()
        for number in range(self._keep, 0, -1):
            if os.path.exists(f"{self._path}.{number}"):
                os.replace(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        os.replace(self._path, f"{self._path}.1")
        if os.path.exists(f"{self._path}.{self._keep + 1}"):
            os.unlink(f"{self._path}.{self._keep + 1}")
        self._open()

    def _move_aside(self) -> None:
        """Something else is there, the log of another program perhaps: it is kept, and not continued."""
        names = (f"{self._path}.other{number or ''}" for number in count())
        aside = next(name for name in names if not os.path.lexists(name))
        self._log.warn("{path} is no audit log of llmproxy; it is now {aside}", path=self._path, aside=aside)
        os.rename(self._path, aside)
        self.close()
        self._open()

    def _linked(self, records: Sequence[AuditRecord]) -> list[Linked]:
        assert self._chain is not None
        return self._chain.linked(records)

    def _write(self, links: list[Linked]) -> None:
        if not links:
            return
        self._append(b"".join(link.line() + b"\n" for link in links), links)
        assert self._chain is not None
        self._chain.moved(links[-1])
        self._is_fresh = False

    def _append(self, data: bytes, links: list[Linked]) -> None:
        written = 0
        try:
            while written < len(data):
                written += self._system.write(self._fd, data[written:])
        except OSError:
            self._undo(data[:written], links)
            raise
        self._end += len(data)

    def _undo(self, written: bytes, links: list[Linked]) -> None:
        """A part of what was to be written is taken back; if even that fails, the whole lines of it stay."""
        if not written:
            return
        try:
            self._system.truncate(self._fd, self._end)
        except OSError:
            self._end = -1
            whole = written.count(b"\n")
            if whole and self._chain is not None:
                self._chain.moved(links[whole - 1])


def _is(fd: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(fd), there)


def _size(links: Sequence[Linked]) -> int:
    return sum(len(link.line()) + 1 for link in links)
