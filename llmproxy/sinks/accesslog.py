"""One line of JSON for every exchange."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import msgspec
from zope.interface import implementer

from ..interfaces import IRecordSink

if TYPE_CHECKING:
    from ..message import Record

_encode = msgspec.json.Encoder().encode


def line(record: Record) -> bytes:
    """
    A record as it stands in the log. Durations are in milliseconds, sizes in bytes.

    Fields that say nothing (no project because the caller is unknown, no error) are left out.
    """
    when = datetime.fromtimestamp(record.started_at, timezone.utc)
    entry: dict[str, object] = {
        "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request_id": record.request_id,
        "client": record.client,
        "method": record.method,
        "path": record.path,
        "status": record.status,
        "ended": record.ended,
        "duration_ms": round(record.duration * 1000, 3),
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
    }
    if record.first_byte is not None:
        entry["first_byte_ms"] = round(record.first_byte * 1000, 3)
    if record.upstream_first_byte is not None:
        entry["upstream_first_byte_ms"] = round(record.upstream_first_byte * 1000, 3)
    if record.attempts:
        entry["attempts"] = record.attempts
        entry["upstream_status"] = record.upstream_status
    for name in ("api", "endpoint", "project_id", "token_id", "error_code", "cache", "user_agent"):
        value = getattr(record, name)
        if value:
            entry[name] = value
    if record.details:
        entry.update(record.details)
    return _encode(entry)


class LogFile:
    """
    A file that only grows, readable by its owner, found again after somebody renamed it.

    @param path: C{"-"} is standard output.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1
        self._identity: tuple[int, int] | None = None
        self._open()

    def write(self, data: bytes) -> None:
        """Append all of C{data}; raises L{OSError}."""
        self._find_again()
        while data:
            data = data[os.write(self._fd, data) :]

    def close(self) -> None:
        if self._path != "-" and self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _open(self) -> None:
        if self._path == "-":
            self._fd = sys.stdout.fileno()
            return
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        found = os.fstat(self._fd)
        self._identity = (found.st_dev, found.st_ino)

    def _find_again(self) -> None:
        """logrotate moves the file away: one C{stat} a batch sees it, no signal has to be sent."""
        if self._path == "-":
            return
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            identity = None
        else:
            identity = (found.st_dev, found.st_ino)
        if identity != self._identity or self._fd < 0:
            self.close()
            self._open()


@implementer(IRecordSink)
class AccessLog:
    """
    Writes a batch of records with one system call.

    @param write: appends bytes; what it raises is the publisher's to report, and the batch is lost.
    @ivar lost: lines that could not be written.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self.lost = 0

    def record_batch(self, records: Sequence[Record]) -> None:
        lines = [line(record) for record in records]
        lines.append(b"")
        try:
            self._write(b"\n".join(lines))
        except OSError:
            self.lost += len(records)
            raise
