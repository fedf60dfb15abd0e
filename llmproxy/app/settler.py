"""
The settler of a busy proxy: its records of usage are written by a process of their own.

What writes a record takes longer than a small exchange does, and in a thread it takes the interpreter's lock from the
thread that serves. A proxy that is not busy has no such process.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver
from zope.interface import implementer

from ..errors import OutcomeUnknown, Unavailable
from ..interfaces import IUsageRecords
from ..net.ratelimitedlog import RateLimitedLog
from ..store.settlerloop import LONGEST, READY, Answer, framed

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..core.ledger.entry import Entry

BUSY = 1000
WITHIN = 2.0
"""So many records in so many seconds are those of a busy proxy."""

CALM = 60.0
"""Seconds without that, after which the process ends."""

ANSWERS_WITHIN = 30.0
"""Seconds that it may take for a batch; then it is ended, and the batch is tried again."""

LEAVES_WITHIN = 5.0
"""Seconds that it has to end by itself, as long as a stop waits for the database."""

REAPED_WITHIN = 1.0
"""Seconds from its last word until it is taken for gone: in a reactor without signals nobody hears of its end."""

STARTS_AGAIN = 60.0
"""Seconds until another one is started, after one that failed."""

COMMAND = (sys.executable, "-m", "llmproxy.store.settlerloop")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode


class _Messages(Int32StringReceiver):
    MAX_LENGTH = LONGEST

    def __init__(self, heard: Callable[[bytes], object]) -> None:
        self._heard = heard

    def stringReceived(self, string: bytes) -> None:
        self._heard(string)

    def lengthLimitExceeded(self, length: int) -> None:
        raise ValueError(f"a message of {length} bytes")


class SettlerProcess(ProcessProtocol):
    """
    One such process: it takes batches and answers each, in order.

    @param url: of the database.
    @param ended: called once, when it is gone; with what it has said on its way, where that was not expected.
    @ivar ready: it has opened the database.
    """

    def __init__(self, clock: Any, url: str, ended: Callable[[str], object]) -> None:
        self._clock = clock
        self._url = url
        self._ended = ended
        self._messages = _Messages(self._heard)
        self._asked: deque[Deferred[int]] = deque()
        self._late: Any = None
        self._words = b""
        self._gone: Deferred[None] = Deferred()
        self._leaving = False
        self.ready = False

    def settle(self, batch: Sequence[Entry]) -> Deferred[int]:
        """
        See L{IUsageRecords.settle}. Fails with L{Unavailable} or L{OutcomeUnknown}; a batch that is not answered may
        have been written.
        """
        asked: Deferred[int] = Deferred()
        self._asked.append(asked)
        if self._late is None:
            self._end_within(ANSWERS_WITHIN)
        self._write(_encode(batch))
        return asked

    def leave(self) -> Deferred[None]:
        """Have it end when it has answered; fires when it is gone. After L{LEAVES_WITHIN} it is killed."""
        if not self._leaving and not self._gone.called:
            self._leaving = True
            self._end_within(LEAVES_WITHIN)
            if self.transport is not None:
                self.transport.closeStdin()
        gone: Deferred[None] = Deferred()
        self._gone.chainDeferred(gone)
        return gone

    def kill(self) -> None:
        """What it was to write is tried again; nothing is lost."""
        if not self._gone.called and self.transport is not None and self.transport.pid:
            self.transport.signalProcess("KILL")

    def _end_within(self, seconds: float | None, end: Callable[[], object] | None = None) -> None:
        if self._late is not None and self._late.active():
            self._late.cancel()
        self._late = None if seconds is None else self._clock.callLater(seconds, end or self.kill)

    def _write(self, content: bytes) -> None:
        if self.transport is not None:
            self.transport.writeToChild(0, framed(content))

    def _heard(self, content: bytes) -> None:
        answer = _decode(content)
        if answer.problem == READY:
            self.ready = True
            return
        asked = self._asked.popleft()
        if not self._leaving:
            self._end_within(ANSWERS_WITHIN if self._asked else None)
        if answer.problem == "":
            asked.callback(answer.count)
        elif answer.problem == "unavailable":
            asked.errback(Unavailable(answer.words))
        else:
            asked.errback(OutcomeUnknown(answer.words))

    # -- called by the reactor

    def connectionMade(self) -> None:
        self._write(self._url.encode())
        self._url = ""

    def outReceived(self, data: bytes) -> None:
        try:
            self._messages.dataReceived(data)
        except (ValueError, LookupError, msgspec.MsgspecError) as error:
            self._words += f"\nit answered {error}".encode()
            self.kill()

    def errReceived(self, data: bytes) -> None:
        self._words = (self._words + data)[-2000:]

    def outConnectionLost(self) -> None:
        self._end_within(REAPED_WITHIN, self._is_gone)

    def processEnded(self, reason: Failure) -> None:
        self._is_gone(reason.getErrorMessage())

    def _is_gone(self, how: str = "it has closed its output") -> None:
        if self._gone.called:
            return
        self.ready = False
        self._end_within(None)
        asked, self._asked = self._asked, deque()
        words = self._words.decode("utf-8", "replace").strip().rpartition("\n")[2]
        self._gone.callback(None)
        self._ended("" if self._leaving else words or how)
        for each in asked:
            each.errback(OutcomeUnknown("the process that writes records of usage has ended"))


@implementer(IUsageRecords)
class Settler:
    """
    Records go to a process as long as there are many of them; without one, and for a minute after it has failed,
    C{records} takes them.

    @param records: writes them in this process.
    @param url: of the database.
    @ivar process: the one that runs; C{None} for none.
    """

    _log = Logger()

    def __init__(self, reactor: Any, records: IUsageRecords, url: str) -> None:
        self._reactor = reactor
        self._records = records
        self._url = url
        self._complaints = RateLimitedLog(reactor, self._log, "ledger")
        self._since = reactor.seconds()
        self._count = 0
        self._not_before = 0.0
        self._calm: Any = None
        self._stopped = False
        self.process: SettlerProcess | None = None

    def settle(self, batch: Sequence[Entry]) -> Deferred[Any]:
        if self._is_busy(len(batch)):
            self._stay()
        process = self.process
        if process is None or not process.ready:
            return self._records.settle(batch)
        return process.settle(batch).addErrback(self._failed)

    def stop(self) -> Deferred[None]:
        """Fires when the process is gone, too."""
        self._stopped = True
        return self._leave()

    def _is_busy(self, count: int) -> bool:
        now = self._reactor.seconds()
        if not 0 <= now - self._since < WITHIN:
            self._since, self._count = now, 0
        self._count += count
        return self._count >= BUSY

    def _stay(self) -> None:
        if self._calm is not None:
            self._calm.reset(CALM)
        elif not self._stopped and self._reactor.seconds() >= self._not_before:
            process = SettlerProcess(self._reactor, self._url, self._ended)
            try:
                self._reactor.spawnProcess(process, COMMAND[0], COMMAND, env=dict(os.environ))
            except OSError as error:
                self._ended(str(error))
            else:
                self._calm = self._reactor.callLater(CALM, self._leave)
                self.process = process

    def _leave(self) -> Deferred[None]:
        calm, self._calm = self._calm, None
        if calm is not None and calm.active():
            calm.cancel()
        process, self.process = self.process, None
        return succeed(None) if process is None else process.leave()

    def _failed(self, reason: Failure) -> Failure:
        # The batch is tried again, and in this process: whether it is the database's fault is seen there.
        self._without()
        return reason

    def _ended(self, words: str) -> None:
        if words:
            self._complaints.say("settler", f"the process that writes records of usage has ended: {words}")
            self._without()

    def _without(self) -> None:
        self._not_before = self._reactor.seconds() + STARTS_AGAIN
        self._leave()


def settled_by(reactor: Any, records: IUsageRecords, url: str, *, is_shared: bool) -> IUsageRecords:
    """
    Those records, by a process of their own where there can be one: not for a database that is in this process.

    @param is_shared: another process can open the database.
    """
    if not is_shared or not IReactorProcess.providedBy(reactor):
        return records
    return Settler(reactor, records, url)
