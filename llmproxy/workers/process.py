"""One worker: C{python -m llmproxy.workers.process}, started by L{llmproxy.workers.supervisor}."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import succeed
from twisted.internet.stdio import StandardIO
from twisted.python.failure import Failure

from ..app.managed import Counts
from ..app.serverlog import ServerLog
from ..app.startup import settle
from ..cache.presence import of_parent
from ..cli.reactor import log_to_stderr
from ..errors import ConfigError, Draining
from ..limits.shared import shared_limits
from ..service import ProxyService, make_service
from .connections import shared_connections
from .ipc import Control, message, packed, unpacked
from .peers import OtherWorkers
from .program import let_signals_in

if TYPE_CHECKING:
    from ..app.proxy import TransparentProxy
    from ..app.settings import Settings
    from ..core.routing import RoutingTable


def _pipe(protocol: Any, reactor: Any) -> Any:
    standard_io: Any = StandardIO
    return standard_io(protocol, stdin=0, stdout=3, reactor=reactor)


class Running:
    """
    The worker's side of the pipe.

    A parent that is gone cannot tell anybody to stop: the worker drains and ends by itself.

    @param log: where the settings are noted.
    @param pipe: connects a protocol to the parent, and returns what writes to it.
    """

    def __init__(self, reactor: Any, pipe: Callable[[Any, Any], Any] = _pipe, log: ServerLog | None = None) -> None:
        self._reactor = reactor
        self._log = log
        self._service: ProxyService | None = None
        self._peers: OtherWorkers | None = None
        self._stopping = False
        self._prepared: tuple[Settings, RoutingTable] | None = None
        control: Any = Control(self._heard, self.stop)
        self._pipe: Any = pipe(control, reactor)

    def tell(self, kind: str, **values: Any) -> None:
        self._pipe.write(message(kind, **values))

    def stop(self, seconds: float | None = None, succeeded: bool = False) -> None:
        """
        Drain, write down what is left to write down, and end.

        @param succeeded: others serve already, see L{ProxyService.retire}.
        """
        if self._stopping:
            return
        self._stopping = True
        if self._peers is not None:
            self._peers.take_connections(False)
        service = self._service
        if service is None:
            self._reactor.stop()
            return
        if seconds is not None:
            service.proxy.ending.within(seconds)
        stopping = service.retire() if succeeded else service.stopService()
        stopping.addBoth(lambda _: self._reactor.stop())

    def _heard(self, kind: str, values: dict[str, Any]) -> None:
        if kind == "start":
            marks, connections = of_parent(*values["marks"]), shared_connections(*values["connections"])
            limits = partial(shared_limits, *values["limits"])
            peers = OtherWorkers(self._reactor, self.tell, marks, connections, limits)
            self._start(unpacked(values["settings"]), peers)
            for api, upstream in values["drained"]:
                self._drain(api, upstream, True)
        elif kind == "stop":
            self.stop(values["seconds"], values.get("succeeded", False))
        elif kind in ("leave", "end_drain", "reopen_logs"):
            self._heard_of_signal(kind)
        elif kind in ("prepare", "commit"):
            self._reload(kind, values)
        elif self._service is None or self._peers is None:
            # Who asked waits for all of us.
            if kind == "purge":
                self.tell("purged", number=values["number"], count=0)
            elif kind == "flush":
                self.tell("flushed", number=values["number"])
            elif kind == "drain":
                self.tell("drained", number=values["number"])
            elif kind == "question":
                self.tell("answer", number=values["number"], answer=None)
        else:
            self._heard_of_peers(kind, values, self._service.proxy, self._peers)

    def _heard_of_peers(self, kind: str, values: dict[str, Any], proxy: TransparentProxy, peers: OtherWorkers) -> None:
        if kind == "changed" and proxy.stored is not None:
            proxy.stored.changes.heard(values["what"], values["which"])
        elif kind == "removed":
            peers.removed(proxy.foundation.cache, values["keys"])
        elif kind == "purge":
            peers.purge_here(proxy.foundation.cache, values)
        elif kind == "metrics":
            self.tell("metrics", number=values["number"], metrics=packed(proxy.metrics().plain()))
        elif kind == "flush":
            self._flush(values["number"], proxy)
        elif kind == "drain":
            self._drain(values["api"], values["upstream"], values["drained"])
            self.tell("drained", number=values["number"])
        elif kind == "question":
            self.tell(
                "answer", number=values["number"], answer=proxy.exchanges.answer(values["what"], values["values"])
            )
        else:
            peers.answered(kind, values)

    def _reload(self, kind: str, values: dict[str, Any]) -> None:
        """C{prepare} compiles a configuration and changes nothing, C{commit} takes what was prepared."""
        problems: list[str] = []
        try:
            if self._service is None:
                problems = ["the worker does not serve"]
            elif kind == "prepare":
                settings = evolve(self._service.proxy.settings, apis=unpacked(values["apis"]))
                self._prepared = settings, settings.apis.routing_table()
            elif self._prepared is None:
                problems = ["it has started meanwhile"]
            else:
                prepared, self._prepared = self._prepared, None
                self._service.proxy.take(*prepared)
        except ConfigError as error:
            problems = list(error.problems)
        except Draining as error:
            problems = [str(error)]
        self.tell("prepared", number=values["number"], problems=problems)

    def _drain(self, api: str, upstream: str, drained: bool) -> None:
        if self._service is not None:
            self._service.proxy.generations.current.set_drained(api, upstream, drained)

    def _flush(self, number: int, proxy: TransparentProxy) -> None:
        """Write down what was counted here; who asks waits for it. What cannot be written is kept for the next time."""
        stored, metering = proxy.stored, proxy.foundation.metering
        writing = succeed(None) if stored is None else Counts(metering, stored.quota).flush()
        writing.addBoth(lambda _: self.tell("flushed", number=number))

    def _start(self, settings: Settings, peers: OtherWorkers) -> None:
        if self._log is not None:
            self._log.configure(settings.server_log_format, settings.log_level, settings.masking())
        try:
            service = self._service = make_service(self._reactor, settings, peers)
        except ConfigError:
            self._failed(Failure())
            return
        self._peers = peers
        service.startService()
        service.started.addCallbacks(self._started, self._failed)

    def _heard_of_signal(self, kind: str) -> None:
        service = self._service
        if service is None:
            return
        if kind == "leave":
            service.proxy.ending.leave()
        elif kind == "end_drain":
            service.end_drain()
        else:
            service.reopen_logs()

    def _started(self, ports: object) -> None:
        settle()
        if self._peers is not None:
            self._peers.take_connections(not self._stopping)
        self.tell("started")

    def _failed(self, reason: Any) -> None:
        problems = reason.value.problems if reason.check(ConfigError) else [reason.getTraceback()]
        self.tell("failed", problems=list(problems))
        self._reactor.callLater(0.1, self.stop)


def main() -> None:
    """Serve until the parent says stop. It forwards signals: a Ctrl-C reaches the whole group of processes."""
    import signal

    from twisted.internet import reactor as global_reactor

    log = log_to_stderr()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    let_signals_in()
    os.set_inheritable(3, False)
    reactor: Any = global_reactor
    running = Running(reactor, log=log)
    reactor.run(installSignalHandlers=False)
    del running


if __name__ == "__main__":
    main()
