"""The upgrade of a proxy without workers: a successor beside it takes over, and it becomes what waits for that."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger

from ..errors import ConfigError
from .handover import VARIABLE, Handover, HeldSocket
from .program import HELD_BACK, try_start
from .waiter import READY_WITHIN, STATE

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..app.settings import Settings
    from .program import Program

FIRST_FD = 4
"""Where a successor finds its sockets; 3 is where it says that it serves."""


class _Successor(ProcessProtocol):
    def __init__(self, ready: Deferred[None]) -> None:
        self.ready = ready
        self.ended: Deferred[None] = Deferred()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == 3 and not self.ready.called:
            self.ready.callback(None)

    def processEnded(self, reason: Failure) -> None:
        if not self.ready.called:
            self.ready.errback(ConfigError("the new process could not serve, its log says why"))
        self.ended.callback(None)


class Succession:
    """
    @param program: C{None} for a proxy that cannot be upgraded so.
    @param sockets: gives those that listen.
    @param retire: has the proxy end in order, its sockets left open; what it returns fires then.
    @param waits: a parent waits for this process already, and is the one to start a successor.
    @param execve: see L{os.execve}.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        program: Program | None,
        sockets: Callable[[], list[HeldSocket]],
        retire: Callable[[], Deferred[Any]],
        waits: bool = False,
        execve: Callable[..., NoReturn] = os.execve,
    ) -> None:
        self._reactor = reactor
        self._program = program
        self._sockets = sockets
        self._retire = retire
        self._waits = waits
        self._execve = execve
        self._begun = False

    def begin(self) -> Deferred[None]:
        """
        Have a successor take over, or make room for one that has; what fails is logged, and changes nothing.
        """
        program = self._program
        if program is None:
            self._log.warn("upgrade: an application has made this proxy, and has to replace itself")
            return succeed(None)
        if self._waits:
            # It is the parent who says so: a successor of its own serves.
            self._log.info("upgrade: another process serves, this one drains")
            return self._retire().addBoth(lambda _: self._reactor.stop())
        if self._begun or not self._sockets():
            self._log.warn("upgrade: not while the proxy starts, or another upgrade is under way")
            return succeed(None)
        self._begun = True
        self._log.info("upgrade: trying whether the program can start")
        trying = try_start(self._reactor, program, os.environ).addCallback(lambda _: self._start(program))
        return trying.addErrback(self._failed)

    def ask(self) -> Deferred[None]:
        """The same, asked for in another way than by a signal: the process that waits for this one is to do it."""
        if not self._waits:
            return self.begin()
        os.kill(os.getppid(), signal.SIGUSR2)
        return succeed(None)

    def _start(self, program: Program) -> Deferred[None]:
        held = self._sockets()
        ready: Deferred[None] = Deferred()
        successor = _Successor(ready)
        left = Handover(
            tuple(evolved(each, FIRST_FD + at) for at, each in enumerate(held)),
            ready=3,
        )
        fds: dict[int, Any] = {0: 0, 1: 1, 2: 2, 3: "r"} | {FIRST_FD + at: each.fd for at, each in enumerate(held)}
        env = {**os.environ, VARIABLE: left.packed()}
        self._reactor.spawnProcess(successor, program.beside[0], program.beside, env=env, childFDs=fds)

        def late(result: Any, seconds: float) -> Any:
            self._kill(successor, "KILL")
            raise ConfigError(f"the new process did not serve within {seconds:.0f} s")

        ready.addTimeout(READY_WITHIN, self._reactor, late)
        return ready.addCallback(lambda _: self._hand_over(program, held, successor))

    def _hand_over(self, program: Program, held: list[HeldSocket], successor: _Successor) -> Deferred[None]:
        """It serves: end what has begun, and then wait for it."""
        transport: Any = successor.transport
        pid: int = transport.pid
        self._log.info("upgrade: process {pid} serves, this one drains", pid=pid)
        kept = [evolved(each, os.dup(each.fd)) for each in held]

        def stopped_meanwhile() -> Deferred[None]:
            # Who stops us means the proxy.
            self._kill(successor, "TERM")
            return successor.ended

        trigger = self._reactor.addSystemEventTrigger("before", "shutdown", stopped_meanwhile)

        def wait(result: object) -> None:
            self._reactor.removeSystemEventTrigger(trigger)
            state = {"child": pid, "command": program.beside, "pidfile": program.pidfile}
            handover = Handover(tuple(kept))
            handover.leave_open()
            signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
            env = {**os.environ, STATE: json.dumps(state), VARIABLE: handover.packed()}
            self._execve(sys.executable, (sys.executable, "-m", "llmproxy.workers.waiter"), env)

        return self._retire().addCallback(wait)

    def _kill(self, successor: _Successor, name: str) -> None:
        transport: Any = successor.transport
        if not successor.ended.called and transport is not None and transport.pid:
            transport.signalProcess(name)

    def _failed(self, reason: Failure) -> None:
        self._begun = False
        if reason.check(ConfigError):
            self._log.error("upgrade: everything stays as it was: {words}", words=reason.value)
        else:
            self._log.failure("upgrade: everything stays as it was", reason)


def with_sockets(settings: Settings, held: Sequence[HeldSocket]) -> Settings:
    """The settings with sockets that are open already, where those are all that are wanted; else they are closed."""
    if not held:
        return settings
    if [(each.option, each.description) for each in held] == settings.listeners:
        return evolve(settings, inherited=tuple((each.fd, each.family) for each in held))
    for each in held:
        os.close(each.fd)
    return settings


def evolved(held: HeldSocket, fd: int) -> HeldSocket:
    """The same socket by another descriptor."""
    return HeldSocket(held.option, held.description, fd, held.family)
