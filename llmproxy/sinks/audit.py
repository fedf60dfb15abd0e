"""The audit log: who did what, taken to every sink, off the path of any request."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from zope.interface import implementer

from .. import __version__
from ..core.audit.flood import WINDOW, Flood, Kind, Repeated, kind_of
from ..core.audit.record import audit_record, rfc3339
from ..core.delivery import DeliveryPolicy
from ..core.masking import Masking
from ..interfaces import IAuditLogger
from .delivery import DeliveryQueue

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from ..core.audit.record import AuditRecord
    from ..interfaces import IAuditSink


class Notes:
    """
    Makes records.

    @param clock: its C{seconds} are since the epoch.
    @param secrets: what must not stand in any record.
    """

    def __init__(
        self,
        clock: IReactorTime,
        secrets: Iterable[str] = (),
        make_id: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        self._clock = clock
        self._masking = Masking(secrets)
        self._make_id = make_id

    def learn(self, secrets: Iterable[str]) -> None:
        """Secrets that this process has from now on."""
        self._masking.learn(secrets)

    def record(self, action: str, actor: str, outcome: str, details: dict[str, Any]) -> AuditRecord:
        now = self._clock.seconds()
        return audit_record(self._make_id(), now, action, actor, outcome, details, self._masking)

    def own(self, action: str, **details: Any) -> AuditRecord:
        """What the log has to say of itself."""
        return self.record(action, "system", "success", details)

    def lost(self, sink: str, count: int, since: float) -> AuditRecord:
        return self.record("audit.lost", "system", "error", {"sink": sink, "count": count, "since": _moment(since)})


def audit_queue(
    clock: IReactorTime,
    sink: IAuditSink,
    notes: Notes,
    policy: DeliveryPolicy = DeliveryPolicy(),  # noqa: B008
) -> DeliveryQueue[AuditRecord]:
    """The way of records to C{sink}: some 10 MB wait for one that is away, and hours of what is audited."""
    return DeliveryQueue(
        clock, sink, policy, "the audit log", lambda count, since: notes.lost(str(sink.name), count, since)
    )


@implementer(IAuditLogger)
class AuditLog:
    """
    Every sink has a queue of its own: one that is away keeps no other from its records.

    What anybody can cause in any number is noted once a minute and counted; see L{llmproxy.core.audit.flood}.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, notes: Notes, sinks: Sequence[IAuditSink], window: float = WINDOW) -> None:
        self._clock = clock
        self._notes = notes
        self._window = window
        self._flood = Flood()
        self._window_ends: IDelayedCall | None = None
        self._running = False
        self.queues = [audit_queue(clock, sink, notes) for sink in sinks]

    def start(self) -> None:
        """Note that the proxy started; what was noted before comes behind."""
        self._running = True
        sinks = [queue.name for queue in self.queues]
        host, pid = socket.gethostname(), os.getpid()
        self._put(self._notes.own("audit.start", version=__version__, host=host, pid=pid, sinks=sinks))

    def add(self, sink: IAuditSink) -> None:
        """One more, for what is noted from now on."""
        self.queues.append(audit_queue(self._clock, sink, self._notes))

    def flush(self) -> Deferred[Any]:
        """Fires when what was noted until now is where it belongs, as far as that can be reached."""
        return DeferredList([queue.flush() for queue in self.queues])

    def stop(self) -> Deferred[Any]:
        """Note that it stops, write everything, close the sinks. What is noted later is lost."""
        self._summarise()
        if self._running:
            self._running = False
            self._put(self._notes.own("audit.stop", pid=os.getpid()))
        return DeferredList([queue.stop() for queue in self.queues])

    def log(self, action: str, actor: str, outcome: str, **details: object) -> None:
        try:
            kind = kind_of(action, actor, outcome, details)
            if kind is None or self._admitted(kind, details):
                self._put(self._notes.record(action, actor, outcome, details))
        except Exception:
            self._log.failure("an audit record could not be made: {action}", action=action)

    def _put(self, record: AuditRecord) -> None:
        for queue in self.queues:
            queue.put(record)

    def _admitted(self, kind: Kind, details: dict[str, Any]) -> bool:
        if self._window_ends is None:
            self._window_ends = self._clock.callLater(self._window, self._summarise)
        return self._flood.admit(kind, self._clock.seconds(), details)

    def _summarise(self) -> None:
        ends, self._window_ends = self._window_ends, None
        if ends is not None and ends.active():
            ends.cancel()
        for kind, repeated in self._flood.take().items():
            action, actor, outcome, *_ = kind
            self._put(self._notes.record(action, actor, outcome, _summary(repeated)))


def _summary(repeated: Repeated) -> dict[str, Any]:
    times = {"first": _moment(repeated.first), "last": _moment(repeated.last)}
    return {**repeated.details, "repeated": repeated.count, **times}


def _moment(seconds: float) -> str:
    return rfc3339(round(seconds * 1_000_000))
