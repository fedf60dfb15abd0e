"""One line of JSON for every exchange."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
from zope.interface import implementer

from ..core.prices import written
from ..interfaces import IRecordSink

if TYPE_CHECKING:
    from ..message import Record


class _Line(msgspec.Struct, omit_defaults=True):
    """What stands in a line, in this order; what has its default does not."""

    time: str
    request_id: str
    client: str
    method: str
    path: str
    status: int
    ended: str
    duration_ms: float
    bytes_in: int
    bytes_out: int
    first_byte_ms: float | None = None
    upstream_first_byte_ms: float | None = None
    attempts: int = 0
    upstream_status: int | None = None
    upstream_request_id: str = ""
    api: str = ""
    endpoint: str = ""
    project_id: str = ""
    token_id: str = ""
    error_code: str = ""
    cause: str = ""
    cache: str = ""
    user_agent: str = ""
    model: str = ""
    served_model: str = ""
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    images: int | None = None
    seconds: float | None = None
    estimated: bool = False
    truncated: bool = False
    unknown: bool = False
    cost: str | None = None
    cost_saved: str | None = None
    upstream: str = ""
    user: str = ""
    session: str = ""
    program: str = ""
    tags: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}
    trace_id: str = ""
    span_id: str = ""
    person_id: str = ""


_encode = msgspec.json.Encoder().encode


def line(record: Record) -> bytes:
    """
    A record as it stands in the log. Durations are in milliseconds, sizes in bytes.

    Fields that say nothing (no project because the caller is unknown, no error) are left out.
    """
    second, fraction = divmod(record.started_at, 1)
    entry = _Line(
        f"{_second(second)}.{int(fraction * 1000):03d}Z",
        record.request_id,
        record.client,
        record.method,
        record.path,
        record.status,
        record.ended,
        _milliseconds(record.duration),
        record.bytes_in,
        record.bytes_out,
        None if record.first_byte is None else _milliseconds(record.first_byte),
        None if record.upstream_first_byte is None else _milliseconds(record.upstream_first_byte),
        record.attempts,
        record.upstream_status if record.attempts else None,
        record.upstream_request_id,
        record.api,
        record.endpoint,
        record.project_id,
        record.token_id,
        record.error_code,
        record.cause,
        record.cache,
        record.user_agent,
        record.model,
    )
    usage = record.usage
    if usage is not None:
        entry.served_model = usage.served_model
        entry.input_tokens, entry.cached_input_tokens = usage.input_tokens, usage.cached_input_tokens
        entry.output_tokens, entry.reasoning_tokens = usage.output_tokens, usage.reasoning_tokens
        entry.cache_write_tokens, entry.images, entry.seconds = usage.cache_write_tokens, usage.images, usage.seconds
        entry.audio_input_tokens, entry.audio_output_tokens = usage.audio_input_tokens, usage.audio_output_tokens
        entry.truncated, entry.unknown = record.truncated, not usage.is_known
        entry.estimated = record.estimated
    if record.cost is not None:
        entry.cost = written(record.cost)
    if record.cost_saved is not None:
        entry.cost_saved = written(record.cost_saved)
    if record.upstream != record.api:
        entry.upstream = record.upstream
    if record.person_id:
        entry.person_id = record.person_id
    said = record.attribution
    if said is not None:
        entry.user, entry.session, entry.program = said.user, said.session, said.program
        entry.tags, entry.metadata = said.tags, said.metadata
    trace = record.trace
    if trace is not None:
        # The caller's own span where there is none of ours: one that can be found.
        entry.trace_id, entry.span_id = trace.trace_id, trace.span_id or trace.parent_id
    return _encode({**msgspec.to_builtins(entry), **record.details} if record.details else entry)


@lru_cache(maxsize=64)
def _second(seconds: float) -> str:
    """A moment without its fraction, as RFC 3339 writes it: most lines are of a second that was written already."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def _milliseconds(seconds: float) -> float:
    """To the microsecond; C{round} would print the number and read it again."""
    return int(seconds * 1_000_000 + 0.5) / 1000


LEVELS = ("debug", "info", "warn", "error")


def level_of(record: Record) -> str:
    """
    How much an operator wants to know of an exchange: C{error} if the proxy or upstream failed, C{warn} for a
    refusal or a client that left, C{info} for all others.
    """
    if record.status >= 500 or record.ended in ("upstream_failed", "timeout", "failed"):
        return "error"
    return "info" if record.ended == "complete" and record.status < 400 else "warn"


def text_line(record: Record) -> bytes:
    """A record for people: C{12:30:01 POST /v1/x 200 complete 12.3ms 300B r-1}."""
    when = datetime.fromtimestamp(record.started_at, timezone.utc).strftime("%H:%M:%S")
    # What a port turned away has neither.
    path = record.path.encode("unicode_escape").decode("ascii") or "-"
    method = record.method.encode("unicode_escape").decode("ascii") or "-"
    what = record.error_code or record.ended
    what = f"{what}({record.cause})" if record.cause else what
    took = f"{record.duration * 1000:.1f}ms {record.bytes_out}B"
    return f"{when} {method} {path} {record.status} {what} {took} {record.api or '-'} {record.request_id}".encode()


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

    def reopen(self) -> None:
        """Whatever the path is now: the next line goes there."""
        if self._path != "-":
            self.close()
            self._open()

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
    @param form: C{"json"} or C{"console"}.
    @param least: the least of L{LEVELS} that is written.
    @ivar lost: lines that could not be written.
    """

    def __init__(self, write: Callable[[bytes], object], form: str = "json", least: str = "info") -> None:
        self._write = write
        self._line = text_line if form == "console" else line
        self._wanted = LEVELS[LEVELS.index(least) :]
        self.lost = 0

    def record_batch(self, records: Sequence[Record]) -> None:
        wanted = self._wanted
        lines = [self._line(record) for record in records if level_of(record) in wanted]
        if not lines:
            return
        lines.append(b"")
        try:
            self._write(b"\n".join(lines))
        except OSError:
            self.lost += len(lines) - 1
            raise
