"""An upgrade: a process becomes the program that is on the disk now, and nobody who is connected notices."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from ..errors import ConfigError
from .program import replace_process, try_start

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from .handover import Handover
    from .program import Program


class Upgrade:
    """
    @param program: C{None} for a process that cannot be upgraded: an application embeds the proxy.
    @param left: gives what the next program gets; C{None} while there is nothing to leave yet.
    @param become: replaces this process, see L{replace_process}.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        program: Program | None,
        left: Callable[[], Handover | None],
        become: Callable[..., object] = replace_process,
    ) -> None:
        self._reactor = reactor
        self._program = program
        self._left = left
        self._become = become
        self._trying = False

    def begin(self) -> Deferred[None]:
        """Try whether the next program can start, and become it then; what fails is logged, and changes nothing."""
        program = self._program
        if program is None:
            self._log.warn("upgrade: an application has made this proxy, and has to replace itself")
            return succeed(None)
        if self._trying or self._left() is None:
            self._log.warn("upgrade: not while the proxy starts, or another upgrade is under way")
            return succeed(None)
        self._trying = True
        self._log.info("upgrade: trying whether the program can start")
        trying = try_start(self._reactor, program, os.environ)
        return trying.addCallback(lambda _: self._replace(program)).addErrback(self._failed).addBoth(self._tried)

    def _replace(self, program: Program) -> None:
        left = self._left()
        if left is None:
            raise ConfigError("a worker has died meanwhile, and another one starts")
        self._log.info("upgrade: becoming {command}", command=" ".join(program.command[1:]))
        self._become(program, left, os.environ)

    def _failed(self, reason: Failure) -> None:
        if reason.check(ConfigError):
            self._log.error("upgrade: everything stays as it was: {words}", words=reason.value)
        else:
            self._log.failure("upgrade: everything stays as it was", reason)

    def _tried(self, result: object) -> None:
        self._trying = False
