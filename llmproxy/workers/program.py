"""The program that this process runs: how it is started anew, in its place or beside it."""

from __future__ import annotations

import getopt
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from ..errors import ConfigError
from .handover import TRIAL, VARIABLE, Handover

HELD_BACK = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2})
"""Signals that wait, while a process replaces itself, until the next one can do something about them."""

TRIED_WITHIN = 60.0
"""Seconds that the next program gets to say that it could start."""

_SAID = 4096
"""Bytes of what it says that are kept."""


@frozen
class Program:
    """
    @ivar command: starts it in this process's place.
    @ivar beside: starts it while this process runs on: it writes no pidfile.
    @ivar pidfile: what this process has written its id to; C{""} for nothing.
    """

    command: tuple[str, ...]
    beside: tuple[str, ...]
    pidfile: str = ""


def program_of(
    twistd: Any = None, orig_argv: Sequence[str] = (), argv: Sequence[str] = (), directory: str = ""
) -> Program:
    """
    The command that started this process, such that it can be given again.

    @param twistd: the options of twistd, where it was that. In the background it has changed its directory and its id:
        the next one stays in the foreground, with absolute paths.
    """
    orig_argv, argv = orig_argv or sys.orig_argv, argv or sys.argv
    python = (sys.executable, *orig_argv[1 : len(orig_argv) - len(argv) + 1])
    given = list(argv[1:])
    if not twistd:
        return Program((*python, *given), (*python, *given))
    _, rest = getopt.getopt(given, twistd.shortOpt, twistd.longOpt)
    head = given[: len(given) - len(rest)]
    directory = directory or os.getcwd()
    pidfile = os.path.join(directory, twistd["pidfile"]) if twistd["pidfile"] else ""
    said = ["--nodaemon", "--rundir", directory]
    if not twistd["syslog"] and not (twistd["nodaemon"] and not twistd["logfile"]):
        log = twistd["logfile"] or "twistd.log"
        said += ["--logfile", log if log == "-" else os.path.join(directory, log)]
    return Program(
        (*python, *head, *said, "--pidfile", pidfile, *rest), (*python, *head, *said, "--pidfile", "", *rest), pidfile
    )


class _Trial(ProcessProtocol):
    def __init__(self, done: Deferred[None]) -> None:
        self._done = done
        self._said = b""

    def outReceived(self, data: bytes) -> None:
        """What is not said on stderr is no reason."""

    def errReceived(self, data: bytes) -> None:
        self._said = (self._said + data)[-_SAID:]

    def processEnded(self, reason: Failure) -> None:
        if self._done.called:
            return
        if reason.check(ProcessDone):
            self._done.callback(None)
            return
        said = self._said.decode("utf-8", "replace").strip()
        self._done.errback(ConfigError(*(said.splitlines()[-20:] or [reason.getErrorMessage()])))


def try_start(reactor: Any, program: Program, env: Mapping[str, str]) -> Deferred[None]:
    """
    Whether the program as it is on the disk now could start with the configuration as it is now.

    @return: fails with L{ConfigError}, of what it says.
    """

    def late(deferred: Deferred[None]) -> None:
        transport = protocol.transport
        if transport is not None and transport.pid:
            transport.signalProcess("KILL")
        deferred.errback(ConfigError(f"the new program did not say within {TRIED_WITHIN:.0f} s whether it can start"))

    done: Deferred[None] = Deferred(late)
    protocol = _Trial(done)
    reactor.spawnProcess(protocol, program.beside[0], program.beside, env={**env, TRIAL: "1"})
    # What is cancelled has failed with words of its own by then.
    return done.addTimeout(TRIED_WITHIN, reactor, lambda result, seconds: result)


def replace_process(
    program: Program, handover: Handover, env: Mapping[str, str], execve: Callable[..., NoReturn] = os.execve
) -> None:
    """
    Become the program as it is on the disk now, with the same process id. It returns only where that fails.

    @raise OSError: the interpreter cannot be started; nothing has changed then.
    """
    handover.leave_open()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
    content = _put_away(program.pidfile)
    try:
        execve(program.command[0], program.command, {**env, VARIABLE: handover.packed()})
    except OSError:
        if content is not None:
            with open(program.pidfile, "w") as file:
                file.write(content)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for fd in handover.descriptors:
            os.set_inheritable(fd, False)
        raise


def let_signals_in() -> None:
    """Those that were held back come now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)


def _put_away(pidfile: str) -> str | None:
    """twistd does not start where a file names a process that runs, though it is itself."""
    if not pidfile:
        return None
    try:
        with open(pidfile) as file:
            content = file.read()
        os.unlink(pidfile)
    except OSError:
        return None
    return content
