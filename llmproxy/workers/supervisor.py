"""The parent: sockets, workers, and what they tell each other."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from attrs import asdict, evolve
from twisted.application.service import Service
from twisted.internet.defer import (
    Deferred,
    DeferredList,
    FirstError,
    gatherResults,
    inlineCallbacks,
    maybeDeferred,
)
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.logger import Logger

from ..app.draindelay import DrainDelay
from ..app.reloading import Outcome, Reloading
from ..app.startup import explain
from ..app.summary import log_summary
from ..app.watching import watch_of
from ..cache.presence import SharedTable
from ..core.backoff import delay
from ..errors import ConfigError, Draining
from ..sinks.metrics import ProxyMetrics
from .child import Worker
from .connections import ConnectionTable
from .former import adopt
from .handover import FormerWorker, Handover, HeldSocket
from .ipc import packed
from .limits import SharedLimitTable
from .reloading import take_in_all
from .sockets import ListeningSocket, adopt_held, open_held
from .tlsports import certificates_for
from .upgrade import Upgrade

if TYPE_CHECKING:
    from collections.abc import Generator

    from twisted.python.failure import Failure

    from ..app.settings import Settings
    from .program import Program

FIRST_FD = 4
"""Where a worker finds its sockets; 0 is what the parent says, 3 what it says to the parent."""

STEADY = 10.0
"""Seconds after which a worker counts as having started well: its next death waits as short as a first one."""

ANSWER_WITHIN = 1.0
"""Seconds that a worker has to tell its numbers; one that is stuck is left out of the sum."""


class Supervisor(Service):
    """
    Keeps C{count} workers running.

    One that dies is replaced, before it first served too. Only one that says why it cannot serve, when none in its
    place has served yet, ends the whole: another one could not either.

    @param spawn: the arguments that start a worker.
    @param program: what this process becomes at an upgrade; C{None} for one that cannot be upgraded.
    @param handover: what the program before has left.
    @ivar former: the workers of the program before, until they have ended.
    @ivar started: fires when all of them serve; fails with L{ConfigError}.
    @ivar restarts: workers that died and were replaced.
    """

    _log = Logger()
    _marks: SharedTable
    _connections: ConnectionTable
    _limits: SharedLimitTable

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        count: int,
        spawn: tuple[str, ...] = (),
        program: Program | None = None,
        handover: Handover | None = None,
    ) -> None:
        self.clock = reactor
        self._reactor = reactor
        self._settings = settings
        self._count = count
        self._spawn = spawn or (sys.executable, "-m", "llmproxy.workers.process")
        self._sockets: list[ListeningSocket] = []
        self._failures, self._started_at = [0] * count, [0.0] * count
        self._questions = self.restarts = 0
        self._handover = Handover() if handover is None else handover
        self._upgrade = Upgrade(reactor, program, self._left)
        self._drained: set[tuple[str, str]] = set(self._handover.drained)
        # In an upgrade there are two workers for each place.
        self._first_column = self._handover.generation % 2 * count
        self.former: list[Worker] = []
        self._awaited: dict[int, Deferred[None]] = {}
        self._given_up = self._hurried = False
        self._delay = DrainDelay(reactor, settings.drain_delay)
        self._reloading = Reloading(reactor, lambda: self._settings, self._take)
        self._watch = watch_of(reactor, settings, self.reload)
        self.workers: list[Worker | None] = [None] * count
        self.started: Deferred[None] = Deferred()

    def startService(self) -> None:
        super().startService()
        self._marks = SharedTable(self._count)
        by_client = self._settings.apis.limits.connections_per_client is not None
        self._connections = ConnectionTable(self._count, by_client)
        left, width = self._handover, 2 * self._count
        self._limits = SharedLimitTable(width, left.limits if left.limits >= 0 and left.width == width else None)
        self.former = [adopt(self._reactor, self, each) for each in left.workers]
        opening: Deferred[Any] = Deferred.fromCoroutine(self._open())
        opening.addCallback(self._say).addCallback(self._retire).addErrback(self._go_on)
        opening.addCallbacks(self.started.callback, self.started.errback)
        if self._watch is not None:
            self._watch.start()

    def _say(self, result: object) -> None:
        ports = [socket.port.getHost() for socket in self._sockets]
        pids = [worker.pid for worker in self.workers if worker is not None and worker.pid is not None]
        log_summary(self._log.info, self._settings, ports, pids)

    async def _open(self) -> None:
        for option, description in self._settings.listeners:
            # What is wrong with certificates is said once.
            plain, _ = certificates_for(option, description, self._settings.apis.tls)
            left = next((each for each in self._handover.sockets if each.description == plain), None)
            if left is not None:
                self._sockets.append(adopt_held(self._reactor, plain, left.fd, left.family))
            else:
                self._sockets.append(await open_held(self._reactor, plain, option))
        # One after the other until one serves: the first migrates the database for all.
        await self._first(0)
        try:
            await gatherResults([self._first(number) for number in range(1, self._count)], consumeErrors=True)
        except FirstError as error:
            error.subFailure.raiseException()

    def _first(self, number: int) -> Deferred[None]:
        """Fires when one in this place serves, whether it is the first or the replacement of one that died."""
        awaited: Deferred[None] = Deferred()
        self._awaited[number] = awaited
        self._start(number)
        return awaited

    def _start(self, number: int) -> None:
        inherited = tuple((FIRST_FD + at, socket.family) for at, socket in enumerate(self._sockets))
        marks = FIRST_FD + len(inherited)
        source = None if self._settings.source is None else self._settings.source.elsewhere()
        start = {
            "settings": packed(evolve(self._settings, inherited=inherited, drain_delay=0.0, source=source)),
            "drained": sorted(self._drained),
            "marks": (marks, self._count, number),
            "connections": (marks + 1, self._count, number, self._connections.key.hex()),
            "limits": (marks + 2, self._limits.width, self._first_column + number),
        }
        worker = Worker(self, number, start)
        self.workers[number] = worker
        self._started_at[number] = self.clock.seconds()
        fds: dict[int, Any] = {0: "w", 1: 1, 2: 2, 3: "r"}
        fds |= {FIRST_FD + at: socket.fd for at, socket in enumerate(self._sockets)} | {marks: self._marks.fd}
        fds |= {marks + 1: self._connections.fd, marks + 2: self._limits.fd}
        worker.started.addCallbacks(self._serves, self._cannot, callbackArgs=(number,), errbackArgs=(number,))
        self._reactor.spawnProcess(worker, self._spawn[0], self._spawn, env=dict(os.environ), childFDs=fds)

    def _serves(self, result: None, number: int) -> None:
        awaited = self._awaited.pop(number, None)
        if awaited is not None:
            awaited.callback(None)

    def _cannot(self, reason: Failure, number: int) -> None:
        if not reason.check(ConfigError) or not self.running:
            # It ended without a word, and L{ended} replaces it; or it was stopped while it started.
            return
        awaited = self._awaited.pop(number, None)
        if awaited is None:
            self._log.error("worker {n}: {why}", n=number, why=reason.value)
            return
        self._given_up = True
        awaited.errback(reason)

    def ended(self, worker: Worker, reason: Failure) -> None:
        """A worker is gone: replace it, unless it was stopped, or all of this ends."""
        if worker in self.former:
            self._former_ended(worker)
            return
        if worker.stopping or self._given_up or not self.running or self.workers[worker.number] is not worker:
            return
        reason.trap(ProcessDone, ProcessTerminated)
        number = worker.number
        self._clear(number)
        steady = self.clock.seconds() - self._started_at[number] >= STEADY
        self._failures[number] = 1 if steady else self._failures[number] + 1
        wait = delay(self._failures[number])
        self._log.error(
            "worker {number} (pid {pid}) died: {reason}; another one starts in {wait} s",
            number=number,
            pid=worker.pid,
            reason=reason.getErrorMessage(),
            wait=wait,
        )
        self.restarts += 1
        self.clock.callLater(wait, self._again, number)

    def _again(self, number: int) -> None:
        if self.running:
            self._start(number)

    def _clear(self, number: int) -> None:
        """What the worker in a place has counted in is nobody's any more."""
        self._marks.clear(number)
        self._connections.clear(number)
        self._limits.clear(self._first_column + number)

    def _replace(self, worker: Worker) -> None:
        def again(result: object) -> None:
            self._clear(worker.number)
            self._again(worker.number)

        worker.stop(self._settings.drain_seconds, succeeded=True).addCallback(again)

    def _living(self) -> list[Worker]:
        """All workers that there are, those of the program before too."""
        return [each for each in (*self.workers, *self.former) if each is not None and not each.ended.called]

    def upgrade(self) -> Deferred[None]:
        """See L{llmproxy.app.signals.Stoppable}."""
        return self._upgrade.begin()

    def _left(self) -> Handover | None:
        """What the next program gets; C{None} where not all workers serve."""
        if not self.started.called or not all(each is not None and each.serves for each in self.workers):
            return None
        options = [option for option, _ in self._settings.listeners]
        sockets = zip(options, self._sockets, strict=True)
        return Handover(
            tuple(HeldSocket(option, each.description, each.fd, int(each.family)) for option, each in sockets),
            tuple(FormerWorker(each.pid, each.number, *each.pipes()) for each in self._living() if each.pid),
            self._limits.fd,
            self._limits.width,
            self._handover.generation + 1,
            tuple(sorted(self._drained)),
        )

    def _retire(self, result: object) -> None:
        """All of ours serve: those of the program before end what they have begun."""
        if self.former:
            self._log.info("upgrade: new workers serve, {count} of the former program drain", count=len(self.former))
        for each in self.former:
            each.stop(self._settings.drain_seconds, succeeded=True)

    def _go_on(self, reason: Failure) -> None:
        """Ours cannot serve: while those of the program before can, they go on."""
        if not self.former:
            reason.raiseException()
        self._given_up = True
        words = explain(reason)
        self._log.critical("upgrade: the new workers cannot serve, those before go on: {words}", words=words)
        for worker in self.workers:
            if worker is not None:
                worker.stop(0.0)

    def _former_ended(self, worker: Worker) -> None:
        self.former.remove(worker)
        self._limits.clear((self._count - self._first_column) + worker.number)
        if self.former or not self.running:
            return
        if self._given_up:
            self._log.critical("the last worker of the former program has ended, and none could take its place")
            self._reactor.stop()
        else:
            self._log.info("upgrade: done, the former workers have ended")

    def reload(self) -> Deferred[None]:
        """See L{llmproxy.app.signals.Stoppable}."""
        return self._reloading.by_signal()

    def reload_for(self, asker: Worker, number: int) -> None:
        """A worker was asked to: it hears what came of it for all of us."""

        def failed(reason: Failure) -> None:
            error = reason.value
            problems = error.problems if isinstance(error, ConfigError) else [reason.getErrorMessage()]
            asker.tell("reloaded", number=number, problems=list(problems), changed=[], needs_restart=[])

        def done(found: Outcome) -> None:
            asker.tell("reloaded", number=number, problems=[], **asdict(found))

        self._reloading.reload().addCallbacks(done, failed)

    def _take(self, settings: Settings, table: object) -> Deferred[None]:
        def adopt() -> None:
            self._settings = settings

        def question() -> int:
            self._questions += 1
            return self._questions

        def running() -> list[Worker]:
            return [each for each in self.workers if each is not None and not each.ended.called and not each.stopping]

        if not self.running:
            raise Draining("the proxy is shutting down")
        return Deferred.fromCoroutine(take_in_all(self.clock, running, question, settings, adopt, self._replace))

    def end_drain(self) -> None:
        """See L{llmproxy.app.signals.Stoppable}."""
        self._hurried = True
        self._delay.end()
        self._tell_all("end_drain")

    def reopen_logs(self) -> None:
        """See L{llmproxy.app.signals.Stoppable}."""
        self._tell_all("reopen_logs")

    def _tell_all(self, kind: str) -> None:
        for worker in self._living():
            worker.tell(kind)

    def pass_on(self, teller: Worker, kind: str, values: dict[str, Any]) -> None:
        """Pass on to all the others what one worker changed, or removed."""
        for worker in self._living():
            if worker is not teller:
                worker.tell(kind, **values)

    def purge(self, teller: Worker, values: dict[str, Any]) -> Deferred[int]:
        """Have all the others remove stored answers; how many there were."""

        asking = self._ask_all("purge", teller, **values)
        return asking.addCallback(lambda answers: sum(count for good, count in answers if good))

    def flush(self, teller: Worker) -> Deferred[Any]:
        """Have all the others write down what they have counted."""
        return self._ask_all("flush", teller)

    def question(self, teller: Worker, values: dict[str, Any]) -> Deferred[list[Any]]:
        """What all the others say to a question."""

        asking = self._ask_all("question", teller, **values)
        return asking.addCallback(lambda answers: [answer for good, answer in answers if good])

    def drain(self, teller: Worker, values: dict[str, Any]) -> Deferred[Any]:
        """Have all the others drain an upstream or undrain it, and those that replace one that dies."""
        place = (values["api"], values["upstream"])
        if values["drained"]:
            self._drained.add(place)
        else:
            self._drained.discard(place)
        return self._ask_all("drain", teller, **values)

    def _ask_all(self, kind: str, but: Worker | None = None, **values: Any) -> Deferred[list[tuple[bool, Any]]]:
        """What each worker answers within L{ANSWER_WITHIN}."""
        self._questions += 1
        asking = [
            worker.ask(kind, self._questions, **values).addTimeout(ANSWER_WITHIN, self.clock)
            for worker in self._living()
            if worker is not but
        ]
        return DeferredList(asking, consumeErrors=True)

    def all_metrics(self) -> Deferred[ProxyMetrics]:
        """The numbers of all workers, added up."""

        def add(answers: list[tuple[bool, Any]]) -> ProxyMetrics:
            total = ProxyMetrics()
            for good, answer in answers:
                if good:
                    one = ProxyMetrics.of_plain(answer)
                    total.started_at = min(total.started_at or one.started_at, one.started_at)
                    total.merge(one)
            total.counter("llmproxy_worker_restarts", "Workers that died and were replaced.", lambda: self.restarts)
            return total

        return self._ask_all("metrics").addCallback(add)

    @inlineCallbacks
    def stopService(self) -> Generator[Deferred[Any], Any, None]:
        """
        Drain the workers one after another, all of them within the one limit, so that the others go on serving.
        """
        yield maybeDeferred(super().stopService)
        if self._watch is not None:
            self._watch.stop()
        self._tell_all("leave")
        yield self._delay.wait()
        ends = self.clock.seconds() + self._settings.drain_seconds
        for worker in [*self.former, *(each for each in self.workers if each is not None)]:
            yield worker.stop(0.0 if self._hurried else max(0.0, ends - self.clock.seconds()))
        for socket in self._sockets:
            yield socket.close()
        self._marks.close()
        self._limits.close()
        self._connections.close()
