"""One worker: C{python -m llmproxy.workers.process}, started by L{llmproxy.workers.supervisor}."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.stdio import StandardIO
from twisted.python.failure import Failure

from ..app.managed import counts_of
from ..app.serverlog import ServerLog
from ..app.startup import settle
from ..cache.presence import PresenceFilter, of_parent
from ..cli.reactor import log_to_stderr
from ..errors import ConfigError
from ..service import ProxyService, make_service
from ..sinks.metrics import ProxyMetrics
from .broadcast import BroadcastingDirectory, ChangeApplier
from .caches import SharedCaches
from .connections import SharedConnections, shared_connections
from .ipc import Control, message, packed, unpacked


def _pipe(protocol: Any, reactor: Any) -> Any:
    standard_io: Any = StandardIO
    return standard_io(protocol, stdin=0, stdout=3, reactor=reactor)


class Running:
    """
    The worker's side of the pipe.

    A parent that is gone cannot tell anybody to stop: the worker drains and ends by itself.

    @param log: is told of the options.
    @param pipe: connects a protocol to the parent, and returns what writes to it.
    """

    def __init__(self, reactor: Any, pipe: Callable[[Any, Any], Any] = _pipe, log: ServerLog | None = None) -> None:
        self._reactor = reactor
        self._log = log
        self._service: ProxyService | None = None
        self._hearing: ChangeApplier | None = None
        self._caches: SharedCaches | None = None
        self._asked: dict[int, Deferred[Any]] = {}
        self._questions = 0
        self._stopping = False
        self._connections: Sequence[SharedConnections] = ()
        control: Any = Control(self._heard, self.stop)
        self._pipe: Any = pipe(control, reactor)

    def tell(self, kind: str, **values: Any) -> None:
        self._pipe.write(message(kind, **values))

    def stop(self, seconds: float | None = None) -> None:
        """Drain, write down what is left to write down, and end."""
        if self._stopping:
            return
        self._stopping = True
        self._take_connections(False)
        service = self._service
        if service is None:
            self._reactor.stop()
            return
        if seconds is not None:
            service.proxy.drain_seconds = seconds
        service.stopService().addBoth(lambda _: self._reactor.stop())

    def _heard(self, kind: str, values: dict[str, Any]) -> None:
        if kind == "start":
            connections = shared_connections(*values["connections"])
            self._start(unpacked(values["options"]), of_parent(*values["marks"]), connections)
        elif kind == "stop":
            self.stop(values["seconds"])
        elif kind in ("leave", "end_drain", "reopen_logs"):
            self._heard_of_signal(kind)
        elif kind == "changed" and self._hearing is not None:
            self._hearing.heard(values["what"], values["which"])
        elif kind in ("removed", "purge", "purged"):
            self._heard_of_caches(kind, values)
        elif kind == "metrics" and self._service is not None:
            numbers = self._service.proxy.metrics().plain()
            self.tell("metrics", number=values["number"], metrics=packed(numbers))
        elif kind == "flush":
            self._flush(values["number"])
        elif kind in ("all_metrics", "flushed"):
            asked = self._asked.pop(values["number"], None)
            if asked is not None:
                asked.callback(ProxyMetrics.of_plain(unpacked(values["metrics"])) if kind == "all_metrics" else None)

    def _start(self, options: Any, marks: PresenceFilter, connections: Sequence[SharedConnections]) -> None:
        if self._log is not None:
            self._log.configure(options.server_log_format, options.log_level, options.masking())
        try:
            service = self._service = make_service(self._reactor, options)
        except ConfigError:
            self._failed(Failure())
            return
        self._connections = connections
        for site, counts in zip((service.site, service.management_site), connections, strict=True):
            if site is not None:
                site.counts = counts
        proxy = service.proxy
        self._hearing = proxy.hearing
        proxy.told = BroadcastingDirectory(
            proxy.directory, lambda what, which: self.tell("changed", what=what, which=which)
        )
        proxy.collect_metrics = lambda: self._ask("all_metrics")
        proxy.flush_others = lambda: self._ask("flush_others")
        if proxy.cache is not None:
            self._caches = SharedCaches(self._reactor, proxy, self.tell, marks)
        service.startService()
        service.started.addCallbacks(self._started, self._failed)

    def _flush(self, number: int) -> None:
        """Write down what was counted here; who asks waits for it. What cannot be written is kept for the next time."""
        service = self._service
        writing: Deferred[Any] = succeed(None) if service is None else counts_of(service.proxy).flush()
        writing.addBoth(lambda _: self.tell("flushed", number=number))

    def _heard_of_caches(self, kind: str, values: dict[str, Any]) -> None:
        if self._caches is not None:
            self._caches.heard(kind, values)
        elif kind == "purge":
            # Who asked waits for all of us.
            self.tell("purged", number=values["number"], count=0)

    def _heard_of_signal(self, kind: str) -> None:
        service = self._service
        if service is None:
            return
        if kind == "leave":
            service.proxy.leaving = True
        elif kind == "end_drain":
            service.end_drain()
        else:
            service.reopen_logs()

    def _take_connections(self, takes: bool) -> None:
        for counts in self._connections:
            counts.take(takes)

    def _started(self, ports: object) -> None:
        settle()
        self._take_connections(not self._stopping)
        self.tell("started")

    def _failed(self, reason: Any) -> None:
        problems = reason.value.problems if reason.check(ConfigError) else [reason.getTraceback()]
        self.tell("failed", problems=list(problems))
        self._reactor.callLater(0.1, self.stop)

    def _ask(self, kind: str) -> Deferred[Any]:
        """What the parent answers, which asks all workers, or all others."""
        self._questions += 1
        number = self._questions
        asked: Deferred[Any] = Deferred(lambda _: self._forget(number))
        self._asked[number] = asked
        self.tell(kind, number=number)
        return asked

    def _forget(self, number: int) -> None:
        self._asked.pop(number, None)


def main() -> None:
    """Serve until told to stop. Signals are the parent's to forward: a Ctrl-C reaches the whole group of processes."""
    import signal

    from twisted.internet import reactor as global_reactor

    log = log_to_stderr()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    os.set_inheritable(3, False)
    reactor: Any = global_reactor
    running = Running(reactor, log=log)
    reactor.run(installSignalHandlers=False)
    del running


if __name__ == "__main__":
    main()
