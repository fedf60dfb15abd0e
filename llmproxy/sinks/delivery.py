"""A delivery queue: bounded and ordered, in batches, tried again until a sink has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import Logger

from ..core.delivery import Backlog, DeliveryPolicy
from ..core.lograte import LogRate

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.python.failure import Failure

Item = TypeVar("Item")
_Sent = TypeVar("_Sent", contravariant=True)


class DeliverySink(Protocol[_Sent]):
    """What takes batches; L{llmproxy.interfaces.IAuditSink} is one."""

    @property
    def name(self) -> str:
        """What the log calls it, a word."""

    def write(self, records: Sequence[_Sent], /) -> Deferred[None]:
        """
        Take all of C{records}, in their order, or fail and be asked again with the same ones first, and maybe more
        behind them. It is called again only when the Deferred has fired.
        """

    def close(self) -> Deferred[None]:
        """Nothing more comes."""


class DeliveryQueue(Generic[Item]):
    """
    Items on their way to one sink.

    C{put} never waits. What does not fit, or is given up, is counted, said in the log once a minute, and marked in its
    place. See L{DeliveryPolicy} for what is promised.

    @param what: what the log calls what is delivered, C{"the audit log"} for example.
    @param lost_mark: makes the item that stands for lost ones: of their count, and the time of the first in seconds of
        C{clock}; C{None} leaves no mark.
    @param left_over: keeps what could not be delivered when the queue stops; C{None} loses it.
    @param progressed: called when items have left, or could not.
    @ivar failures: attempts that failed.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        sink: DeliverySink[Item],
        policy: DeliveryPolicy = DeliveryPolicy(),  # noqa: B008
        what: str = "the delivery",
        lost_mark: Callable[[int, float], Item] | None = None,
        left_over: Callable[[list[Item]], Deferred[None]] | None = None,
        progressed: Callable[[], object] = lambda: None,
    ) -> None:
        self._left_over = left_over
        self._progressed = progressed
        self._clock = clock
        self._sink = sink
        self._policy = policy
        self._what = what
        self._backlog: Backlog[Item] = Backlog(policy.most_waiting, lost_mark)
        self._reports = LogRate(policy.report_every)
        self._call: IDelayedCall | None = None
        self._under_way = 0
        self._handing_over = self._more = False
        self._attempts = 0
        self._failed_in_a_row = 0
        self._failed_at_the_end = 0
        self._stopping: list[Deferred[None]] = []
        self._deadline: IDelayedCall | None = None
        self._over = self._given_up = False
        self._flushes: list[tuple[int, Deferred[None]]] = []
        self.failures = 0

    @property
    def name(self) -> str:
        """The sink's."""
        return str(self._sink.name)

    @property
    def waiting(self) -> int:
        """Items that are not delivered yet."""
        return len(self._backlog)

    @property
    def delivered(self) -> int:
        """Items that the sink took."""
        return self._backlog.delivered

    @property
    def lost(self) -> int:
        """Items that it did not, and never will."""
        return self._backlog.lost

    @property
    def taken(self) -> int:
        """How many were let in, ever."""
        return self._backlog.taken

    @property
    def done(self) -> int:
        """How many of those are delivered or given up: they leave in their order."""
        return self._backlog.done

    @property
    def is_failing(self) -> bool:
        """The last attempt failed."""
        return self._failed_in_a_row > 0

    @property
    def is_delivering(self) -> bool:
        """A batch is under way."""
        return self._under_way > 0

    def put_all(self, items: Sequence[Item]) -> None:
        """L{put} for many. What fills a batch is handed over at once."""
        now = self._clock.seconds()
        if self._over:
            self._backlog.lose(len(items), now)
            self._report("over", "{what} ({sink}) has ended: {lost} were lost so far")
            return
        if self._backlog.put_all(items, now):
            self._report("full", "{what} ({sink}) is full: {lost} were lost so far")
        if self._under_way:
            return
        if self._failed_in_a_row:
            if self._call is None:
                # All that had failed was taken back, and is here again.
                self._call = self._clock.callLater(self._policy.wait(self._failed_in_a_row, False), self._write)
            return
        if len(self._backlog) >= self._policy.batch:
            self._write()
        elif self._call is None and not self._backlog.is_empty:
            self._call = self._clock.callLater(self._policy.gather_for, self._write)

    def put(self, item: Item) -> None:
        """Take an item, or count it as lost if too many wait or the queue has ended."""
        now = self._clock.seconds()
        if self._over:
            self._backlog.lose(1, now)
            self._report("over", "{what} ({sink}) has ended: {lost} were lost so far")
        elif not self._backlog.put(item, now):
            self._report("full", "{what} ({sink}) is full: {lost} were lost so far")
        elif self._call is None and not self._under_way:
            self._call = self._clock.callLater(self._policy.gather_for, self._write)

    def peek_all(self) -> list[Item]:
        """Everything that waits; nothing while a batch is under way, as that may be taken."""
        return [] if self._under_way else self._backlog.first(len(self._backlog))

    def take_back(self) -> None:
        """What L{peek_all} shows is kept by someone else, who may bring it again: it is not lost, and waits no more."""
        if not self._under_way:
            self._backlog.take_all()

    def flush(self) -> Deferred[None]:
        """
        Fires when what waits now is delivered, or could not be at once; it never fails. Cancelling it ends the wait.
        """
        if self._backlog.done >= self._backlog.taken:
            return succeed(None)
        flushing: Deferred[None] = Deferred(self._forget)
        self._flushes.append((self._backlog.taken, flushing))
        if not self._under_way and not self._failed_in_a_row:
            self._write()
        elif not self._under_way:
            self._flushed(everything=True)
        return flushing

    def stop(self) -> Deferred[None]:
        """
        Deliver what waits, within the bounds of the policy, then close the sink: once, however often it is called. It
        never fails.
        """
        if self._over and not self._stopping:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopping.append(stopped)
        if len(self._stopping) == 1:
            self._deadline = self._clock.callLater(self._policy.stop_within, self._give_up)
            if not self._under_way:
                self._write()
        return stopped

    def _write(self) -> None:
        """Hand over batch after batch, for as long as the sink takes them at once."""
        self._cancel()
        self._more = True
        if self._handing_over:
            return
        self._handing_over = True
        while self._more:
            self._more = False
            self._hand_over()
        self._handing_over = False

    def _hand_over(self) -> None:
        batch = self._backlog.first(self._policy.batch)
        if not batch:
            self._idle()
            return
        self._under_way = len(batch)
        writing = maybeDeferred(self._sink.write, batch)
        writing.addCallbacks(self._taken, self._failed)
        writing.addErrback(lambda reason: self._log.failure("{what} is broken", reason, what=self._what))

    def _taken(self, result: object) -> None:
        if self._over or self._given_up:
            return
        self._failed_in_a_row = 0
        self._backlog.deliver(self._left())
        self._flushed()
        self._progressed()
        if self._under_way:
            # What progressed has put in more, which filled a batch.
            return
        if self._stopping or not self._waits_for_more():
            self._write()
        elif self._call is None and not self._backlog.is_empty:
            self._call = self._clock.callLater(self._policy.gather_for, self._write)

    def _waits_for_more(self) -> bool:
        waiting = len(self._backlog)
        if self._backlog.is_empty:
            return True
        return self._policy.fills and waiting < self._policy.batch and not self._flushes

    def _failed(self, reason: Failure) -> None:
        if self._over or self._given_up:
            return
        self.failures += 1
        self._attempts += 1
        self._failed_in_a_row += 1
        form = "{what} ({sink}) cannot be written: {why}; {waiting} wait"
        self._report("failed", form, why=reason.getErrorMessage())
        stopping = bool(self._stopping)
        self._failed_at_the_end += stopping
        if self._failed_at_the_end >= self._policy.last_attempts:
            self._give_up()
            return
        if self._policy.gives_up(self._attempts):
            self._backlog.drop(self._left(), self._clock.seconds())
        self._under_way = 0
        self._call = self._clock.callLater(self._wait(reason, stopping), self._write)
        self._flushed(everything=True)
        self._progressed()

    def _wait(self, reason: Failure, stopping: bool) -> float:
        asked = getattr(reason.value, "retry_after", None)
        return self._policy.wait(self._failed_in_a_row, stopping, asked if isinstance(asked, (int, float)) else None)

    def _left(self) -> int:
        """The batch under way is delivered or given up; how many items it had."""
        count, self._under_way, self._attempts = self._under_way, 0, 0
        return count

    def _give_up(self) -> None:
        self._cancel()
        self._given_up = True
        if self._left_over is not None:
            keeping = maybeDeferred(self._left_over, self._backlog.take_all())
            self._flushed(everything=True)
            keeping.addErrback(lambda reason: self._log.failure("{what} could not be kept", reason, what=self._what))
            keeping.addCallback(lambda _: self._idle())
            return
        count = self._backlog.give_up(self._clock.seconds())
        self._flushed(everything=True)
        self._log.error("{what} ({sink}) lost {count} at the end", what=self._what, sink=self.name, count=count)
        self._idle()

    def _idle(self) -> None:
        if self._over or not self._stopping:
            return
        self._over = True
        self._cancel_deadline()
        self._deadline = self._clock.callLater(self._policy.stop_within, self._not_closed)
        closing = maybeDeferred(self._sink.close)
        closing.addErrback(lambda reason: self._log.failure("{what} could not be closed", reason, what=self._what))
        closing.addCallback(lambda _: self._stopped())

    def _not_closed(self) -> None:
        self._log.error("{what} ({sink}) does not close; it is left as it is", what=self._what, sink=self.name)
        self._stopped()

    def _stopped(self) -> None:
        self._cancel_deadline()
        waiting, self._stopping = self._stopping, []
        for each in waiting:
            each.callback(None)

    def _cancel_deadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()

    def _flushed(self, everything: bool = False) -> None:
        done = self._backlog.done
        waiting = self._flushes
        self._flushes = [(until, each) for until, each in waiting if until > done and not everything]
        for until, each in waiting:
            if until <= done or everything:
                each.callback(None)

    def _forget(self, flushing: Deferred[None]) -> None:
        self._flushes = [(until, each) for until, each in self._flushes if each is not flushing]

    def _cancel(self) -> None:
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

    def _report(self, kind: str, form: str, why: str = "") -> None:
        if self._reports.due(kind, self._clock.seconds()) is not None:
            self._log.error(form, what=self._what, sink=self.name, waiting=self.waiting, lost=self.lost, why=why)
