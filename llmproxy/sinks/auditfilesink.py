"""The file of the audit log, as a sink: on a thread, and on the disk when the policy says so."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from zope.interface import implementer

from ..errors import ConfigError
from ..interfaces import IAuditSink

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from ..core.audit.chain import Anchor
    from ..core.audit.record import AuditRecord
    from .auditfile import AuditFile

SYNC_AFTER = 1.0
"""Seconds, with the policy C{interval}."""

POLICIES = ("always", "interval", "never")


@implementer(IAuditSink)
class AuditFileSink:
    """
    The file, as a sink.

    @param run: calls a function on a thread, one at a time.
    @param policy: C{"always"}, before a batch counts as kept; C{"interval"}, within a second; C{"never"}, when
        the operating system likes to.
    @param anchored: called with where the chain has come to, after every batch.
    """

    name = "file"
    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        file: AuditFile,
        run: Callable[[Callable[[], Any]], Deferred[Any]],
        policy: str = "interval",
        anchored: Callable[[Anchor], object] = lambda anchor: None,
    ) -> None:
        self._clock = clock
        self._file = file
        self._run = run
        self._policy = policy
        self._anchored = anchored
        self._syncing: IDelayedCall | None = None
        self._unsynced = 0

    def write(self, records: Sequence[AuditRecord]) -> Deferred[None]:
        return self._run(lambda: self._append(records)).addCallback(self._kept)

    def close(self) -> Deferred[None]:
        syncing, self._syncing = self._syncing, None
        if syncing is not None:
            syncing.cancel()
        return self._run(self._sync_and_close)

    def _append(self, records: Sequence[AuditRecord]) -> Anchor:
        anchor = self._file.append(records[self._unsynced :])
        if self._policy == "always":
            # What was written and not synced is not written again.
            self._unsynced = len(records)
            self._file.sync()
            self._unsynced = 0
        return anchor

    def _kept(self, anchor: Anchor) -> None:
        if self._policy == "interval" and self._syncing is None:
            self._syncing = self._clock.callLater(SYNC_AFTER, self._sync)
        self._anchored(anchor)

    def _sync(self) -> None:
        self._syncing = None
        syncing = self._run(self._file.sync)
        syncing.addErrback(lambda reason: self._log.failure("the audit log could not be synced", reason))

    def _sync_and_close(self) -> None:
        try:
            if self._policy != "never":
                self._file.sync()
        finally:
            self._file.close()


def prepare(path: str, create_directory: bool) -> None:
    """
    Make sure that there can be a file.

    @raise ConfigError: its directory is not there and is not to be made, or the file cannot be opened.
    """
    directory = os.path.dirname(path) or "."
    try:
        if create_directory:
            os.makedirs(directory, mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        advice = "" if os.path.isdir(directory) else "; AUDIT_CREATE_DIR=true makes its directory"
        raise ConfigError(f"AUDIT_LOG_FILE: {path}: {error.strerror}{advice}") from None
    os.close(fd)
