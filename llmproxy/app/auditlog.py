"""The audit log put together: where its records go, and what is shown of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..core.audit.settings import STDOUT
from ..errors import ConfigError
from ..sinks.audit import AuditLog, Notes
from ..sinks.auditanchors import Anchoring
from ..sinks.auditfile import AuditFile
from ..sinks.auditfilesink import AuditFileSink, prepare
from ..sinks.auditstream import AuditStream
from ..store.threads import PooledThreads, Threads

if TYPE_CHECKING:
    from ..core.audit.record import AuditRecord
    from ..core.audit.settings import AuditOptions
    from ..interfaces import IAuditSink
    from ..sinks.delivery import DeliveryQueue
    from ..sinks.metrics import ProxyMetrics
    from ..store.database import Database


class Auditing:
    """
    @param secrets: of this process; they stand in no record.
    @param threads: makes the thread that writes the file.
    @param more: sinks beside the file and the database.
    @ivar log: see L{llmproxy.interfaces.IAuditLogger}.
    @ivar trail: where records can be asked for, if anywhere.
    @raise ConfigError: the file cannot be written.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        database: Database,
        options: AuditOptions,
        secrets: Iterable[str] = (),
        threads: Callable[[], Threads] | None = None,
        more: Iterable[IAuditSink] = (),
    ) -> None:
        from ..store.auditretention import AuditRetention
        from ..store.audittrail import AuditTrail

        self._notes = notes = Notes(reactor, secrets)
        self._anchoring: Anchoring | None = None
        self._thread: Threads | None = None
        self._started = False
        sinks: list[Any] = []
        path = self._path(options)
        if path is not None:
            self._thread = PooledThreads(reactor, 1, "audit") if threads is None else threads()
            sinks.append(
                AuditStream(self._thread.run)
                if path == STDOUT
                else self._file(reactor, database, path, options, notes, self._thread)
            )
        if options.in_database:
            sinks.append(self._table(reactor, database, notes))
        self.log = AuditLog(reactor, notes, [*sinks, *more])
        self.trail = AuditTrail(database) if options.in_database else None
        self._retention: AuditRetention | None = None
        if options.in_database and options.keep_rows is not None:
            self._retention = AuditRetention(reactor, database, self.log, options.keep_rows)

    def _path(self, options: AuditOptions) -> str | None:
        """Where records are written, in a file that can be: a read-only directory is no reason not to start."""
        path = options.file
        if path is None or path == STDOUT:
            return path
        try:
            prepare(path, options.create_directory)
        except ConfigError as error:
            if not options.is_default or os.path.lexists(path):
                raise
            self._log.warn(
                "{why}; audit records go to {where} alone. AUDIT_LOG_FILE says where else: a path, - for standard "
                "output, or none",
                why=error.problems[0],
                where="the database" if options.in_database else "standard output",
            )
            return None if options.in_database else STDOUT
        return path

    def start(self) -> None:
        """The database is open."""
        self._started = True
        if self._thread is not None:
            self._thread.start()
        self.log.start()
        if self._retention is not None:
            self._retention.start()

    async def stop(self) -> None:
        """Write everything that waits. To be called while the database is still open."""
        if not self._started:
            return
        if self._retention is not None:
            await self._retention.stop()
        await self.log.stop()
        if self._anchoring is not None:
            await self._anchoring.stop()
        if self._thread is not None:
            self._thread.stop()

    def learn(self, secrets: Iterable[str]) -> None:
        """Secrets that this process has from now on; they stand in no record either."""
        self._notes.learn(secrets)

    def show(self, metrics: ProxyMetrics) -> None:
        for queue in self.log.queues:
            _show(metrics, queue)

    def _file(
        self, reactor: Any, database: Database, path: str, options: AuditOptions, notes: Notes, thread: Threads
    ) -> AuditFileSink:
        from ..store.audit import AuditAnchors

        self._anchoring = Anchoring(reactor, AuditAnchors(reactor, database).note)
        file = AuditFile(path, notes.own, max_bytes=options.max_bytes, keep=options.keep)

        def run(call: Callable[[], Any]) -> Deferred[Any]:
            return thread.run(call)

        return AuditFileSink(reactor, file, run, options.sync, self._anchoring.note)

    def _table(self, reactor: Any, database: Database, notes: Notes) -> Any:
        from ..store.audit import AuditTable

        return AuditTable(reactor, database, lambda heads: notes.own("audit.open", heads=heads))


def _show(metrics: ProxyMetrics, queue: DeliveryQueue[AuditRecord]) -> None:
    name = f"llmproxy_audit_{queue.name}"
    metrics.counter(f"{name}_written", "Audit records that were kept.", lambda: queue.delivered)
    metrics.counter(f"{name}_lost", "Audit records that could not be kept.", lambda: queue.lost)
    metrics.counter(f"{name}_failures", "Attempts to keep audit records that failed.", lambda: queue.failures)
    metrics.gauge(f"{name}_waiting", "Audit records that wait to be written.", lambda: queue.waiting)
