"""Dead letters, sent again: once somebody has put right what their receiver did not take them for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from attrs import define
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as DeferredTimeout

from ..core.events.encoding import decode
from ..core.events.letters import MOST, Redelivered, letter_time
from ..core.events.receipts import DeliveryFailure, PassingFailure, PermanentFailure, Receipt

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from ..core.events import Event
    from ..interfaces.events import IEventSink
    from .deadletters import DeadLetters
    from .registry import RunInThread

WITHIN = 25.0
"""Seconds of a turn: who asked for it waits, a command of ours no longer than half a minute."""


class UnderWay(Exception):
    """Somebody else is sending them at this moment."""


@define
class _Turn:
    delivered: int = 0
    refused: int = 0
    error: str = ""
    receipt: Receipt | None = None


class Redelivery:
    """
    Sends the letters of one sink again, in batches and in their order. A letter goes when its receiver has it: what a
    crash interrupts is sent once more, and the receiver can tell by the id of the event.

    @param sink: of its own, beside the one that all else goes to; the caller closes it.
    @param run: calls a function on a thread.
    @param batch: events in one attempt at most.
    @param timeout: seconds of one attempt.
    """

    def __init__(
        self,
        clock: IReactorTime,
        sink: IEventSink,
        letters: DeadLetters,
        run: RunInThread,
        batch: int = 100,
        timeout: float = 30.0,
    ) -> None:
        self._clock = clock
        self._sink = sink
        self._letters = letters
        self._run = run
        self._batch = max(1, batch)
        self._timeout = timeout

    async def send(self, limit: int = MOST, before: str = "") -> Redelivered:
        """
        One turn.

        @param limit: letters at most.
        @param before: only what became a letter before this time, as L{letter_time} writes it; C{""} for all until
            now. Who makes several turns gives the same one, and meets no letter twice.
        @raise UnderWay: somebody else does the same.
        @raise OSError: the letters cannot be read, or not be taken out.
        """
        before = before or letter_time(self._clock.seconds())
        with ExitStack() as stack:
            try:
                await self._run(stack.enter_context, self._letters.alone())
            except BlockingIOError:
                raise UnderWay("the dead letters of this sink are being sent already") from None
            turn = _Turn()
            await self._send_all(await self._run(self._letters.first, limit, before), turn, before)
            left = await self._run(self._letters.count, before)
        answer = "" if turn.receipt is None else str(turn.receipt)
        return Redelivered(turn.delivered, turn.refused, left, turn.error, answer)

    async def _send_all(self, found: Sequence[tuple[str, bytes]], turn: _Turn, before: str) -> None:
        until, most, waiting = self._clock.seconds() + WITHIN, self._batch, list(found)
        while waiting:
            if self._clock.seconds() >= until:
                turn.error = f"there was no time for more within {WITHIN:g} s"
                return
            part = waiting[:most]
            events, unreadable = _events(part)
            if unreadable:
                # It stays where it is, said to be what it is.
                await self._bury([each for each in part if each[0] in unreadable], "this is no event", turn, before)
                waiting = [each for each in waiting if each[0] not in unreadable]
                continue
            try:
                turn.receipt = await self._deliver(events, until - self._clock.seconds())
            except PermanentFailure as failure:
                turn.receipt = failure.receipt or turn.receipt
                waiting = await self._taken(waiting, min(failure.delivered, len(part)), turn, before)
                refused = part[failure.delivered :]
                if len(refused) == 1:
                    await self._bury(refused, str(failure), turn, before)
                    waiting = waiting[1:]
                most = max(1, len(refused) // 2)
            except Exception as failure:
                taken = failure.delivered if isinstance(failure, DeliveryFailure) else 0
                turn.receipt = getattr(failure, "receipt", None) or turn.receipt
                turn.error = str(failure) or type(failure).__name__
                await self._taken(waiting, min(taken, len(part)), turn, before)
                return
            else:
                waiting = await self._taken(waiting, len(part), turn, before)
                most = min(most * 2, self._batch)

    async def _deliver(self, events: list[Event], left: float) -> Receipt | None:
        delivering: Deferred[Receipt | None] = maybeDeferred(self._sink.deliver, events)
        seconds = min(self._timeout, left)
        try:
            return await delivering.addTimeout(seconds, self._clock)
        except DeferredTimeout:
            raise PassingFailure(f"no answer within {seconds:.3g} s") from None

    async def _taken(
        self, waiting: list[tuple[str, bytes]], count: int, turn: _Turn, before: str
    ) -> list[tuple[str, bytes]]:
        """The receiver has the first C{count}: what still waits."""
        if count:
            await self._run(self._letters.take_out, frozenset(each for each, _ in waiting[:count]), before)
            turn.delivered += count
        return waiting[count:]

    async def _bury(self, refused: Sequence[tuple[str, bytes]], why: str, turn: _Turn, before: str) -> None:
        """It stays a letter, of now, so that this turn and the next ones leave it alone."""
        now = letter_time(self._clock.seconds())
        ids = frozenset(each for each, _ in refused)
        await self._run(self._letters.renew, ids, why, max(now, before), before)
        turn.refused += len(refused)


def _events(part: Sequence[tuple[str, bytes]]) -> tuple[list[Event], set[str]]:
    """The events of letters, and the ids of those that are none."""
    events, unreadable = [], set()
    for each, data in part:
        try:
            events.append(decode(data))
        except ValueError:
            unreadable.add(each)
    return events, unreadable
