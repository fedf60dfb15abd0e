"""A driver of work in slices: it does what fits into a turn of the reactor, and the rest in later ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Cooperator, TaskStopped
from twisted.python.failure import Failure

from ..core.inspection.steps import Steps

T = TypeVar("T")


class Slices:
    """
    All that is under way shares one budget a turn, and takes turns in it.

    @param clock: of the reactor.
    @param budget: seconds a turn, of all together; the slice that is under way then is finished.
    """

    def __init__(self, clock: IReactorTime, budget: float = 0.005) -> None:
        self._clock = clock
        self._budget = budget
        self._cooperator = Cooperator(self._turn, lambda call: clock.callLater(0, call))

    def run(self, steps: Steps[T]) -> Deferred[T]:
        """
        Do the first slice at once, the others in turns. Cancelling closes C{steps}.

        @return: fires with what C{steps} returns, or fails with what it raises.
        """
        try:
            next(steps)
        except StopIteration as end:
            return succeed(end.value)
        except Exception:
            return fail(Failure())
        return self._rest(steps)

    def _rest(self, steps: Steps[T]) -> Deferred[T]:
        outcome: list[T] = []

        def rest() -> Iterator[None]:
            outcome.append((yield from steps))

        def failed(reason: Failure) -> None:
            # Stopped is what a cancelled one is; its Deferred knows already.
            if not reason.check(TaskStopped):
                result.errback(reason)

        work = rest()
        task = self._cooperator.cooperate(work)

        def cancel(_: Deferred[T]) -> None:
            task.stop()
            steps.close()

        result: Deferred[T] = Deferred(cancel)
        task.whenDone().addCallbacks(lambda _: result.callback(outcome[0]), failed)
        return result

    def _turn(self) -> Callable[[], bool]:
        end = self._clock.seconds() + self._budget
        return lambda: self._clock.seconds() >= end
