"""Rules of a delivery queue: what waits in it, what is lost of it, and when something is tried again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

from attrs import frozen

from .backoff import delay

Item = TypeVar("Item")

LONGEST_ASKED = 900.0
"""Seconds: a receiver that asks for a day of rest is asked before that whether it means it."""


@frozen
class DeliveryPolicy:
    """
    What a queue may hold, and how hard it tries. Durations are seconds.

    The default delivers I{at least once}: a batch is tried until the sink has taken it, and a batch whose answer was
    lost is tried again, so that a sink must know what it has (or bear it twice). With C{attempts=1} it delivers I{at
    most once}: what failed is never sent again. In between, a batch is given up after so many attempts.

    @ivar most_waiting: items that wait for the sink, the batch that is under way among them; later ones are lost.
    @ivar batch: items in one attempt at most.
    @ivar gather_for: how long an item waits for others. While a batch is under way the next one gathers anyway.
    @ivar attempts: how often a batch is tried; C{None} is until it is taken.
    @ivar retry_base: before the second attempt; each further one waits twice as long.
    @ivar retry_most: the longest wait between two attempts.
    @ivar last_attempts: how many may fail once the queue stops; then all that waits is given up.
    @ivar stop_within: what the whole rest gets once the queue stops, whatever the sink does; its close gets as long
        again.
    @ivar report_every: between two lines of the log about the same trouble.
    @ivar fills: what is left behind a batch waits for others too, unless it is a whole one.
    """

    most_waiting: int = 10_000
    batch: int = 500
    gather_for: float = 0.01
    attempts: int | None = None
    retry_base: float = 0.5
    retry_most: float = 30.0
    last_attempts: int = 3
    stop_within: float = 10.0
    report_every: float = 60.0
    fills: bool = False

    def __attrs_post_init__(self) -> None:
        for name in ("most_waiting", "batch", "attempts", "last_attempts"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} of a delivery policy is {value}, and is at least 1")

    def gives_up(self, attempts: int) -> bool:
        """Whether a batch is lost that has failed so often."""
        return self.attempts is not None and attempts >= self.attempts

    def wait(self, failures: int, stopping: bool, asked: float | None = None) -> float:
        """
        Seconds until the sink is asked again, for the same batch or another.

        @param failures: attempts that failed since the sink took something.
        @param asked: how long the receiver wants to be left alone; it is believed for L{LONGEST_ASKED}.
        """
        wait = self.retry_base if stopping else delay(failures, self.retry_base, self.retry_most)
        return wait if stopping or asked is None else max(wait, min(asked, LONGEST_ASKED))


class Backlog(Generic[Item]):
    """
    Items in their order, within a bound, and a mark where some are missing.

    Items have numbers in the order in which they came, so that someone can wait for those that are there now.

    @param most: items at once.
    @param lost_mark: makes the item that stands for C{count} lost ones, the first of them at a time in seconds; C{None}
        leaves no mark.
    @ivar taken: how many were let in, marks included.
    @ivar done: how many of those are delivered or given up: they leave in their order.
    @ivar delivered: items that the sink took.
    @ivar lost: items that it did not, and never will.
    """

    def __init__(self, most: int, lost_mark: Callable[[int, float], Item] | None = None) -> None:
        self._most = most
        self._lost_mark = lost_mark
        self._waiting: deque[Item] = deque()
        self._unmarked = 0
        self._unmarked_since = 0.0
        self.taken = 0
        self.done = 0
        self.delivered = 0
        self.lost = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_empty(self) -> bool:
        """Nothing waits, and nothing is still to be marked."""
        return not self._waiting and not self._unmarked

    def put(self, item: Item, now: float) -> bool:
        """Let an item in; C{False} if there is no room, and it is lost."""
        self.mark_lost()
        if len(self._waiting) >= self._most:
            self.lose(1, now)
            return False
        self._waiting.append(item)
        self.taken += 1
        return True

    def put_all(self, items: Sequence[Item], now: float) -> int:
        """Let in as many as there is room for, the first ones; how many are lost."""
        self.mark_lost()
        room = self._most - len(self._waiting)
        lost = max(0, len(items) - room)
        kept = items[:room] if lost else items
        self._waiting.extend(kept)
        self.taken += len(kept)
        self.lose(lost, now)
        return lost

    def first(self, count: int) -> list[Item]:
        """The next batch; it waits on until it is L{deliver}ed or L{drop}ped."""
        self.mark_lost()
        return list(islice(self._waiting, count))

    def deliver(self, count: int) -> None:
        """The sink has taken the first C{count}."""
        self._leave(count)
        self.delivered += count

    def drop(self, count: int, now: float) -> None:
        """Give up the first C{count}; the mark comes behind what waits already."""
        self._leave(count)
        self.lose(count, now)

    def lose(self, count: int, now: float) -> None:
        """Count what never got in."""
        if count and not self._unmarked:
            self._unmarked_since = now
        self.lost += count
        if self._lost_mark is not None:
            self._unmarked += count

    def mark_lost(self) -> None:
        """Put the mark where the lost ones would stand, once there is room."""
        if self._unmarked and self._lost_mark is not None and len(self._waiting) < self._most:
            count, self._unmarked = self._unmarked, 0
            self._waiting.append(self._lost_mark(count, self._unmarked_since))
            self.taken += 1

    def take_all(self) -> list[Item]:
        """Everything that waits, for someone else to keep: it is done with here, and not lost."""
        items = list(self._waiting)
        self._leave(len(items))
        self._unmarked = 0
        return items

    def give_up(self, now: float) -> int:
        """Lose everything, with no mark any more; how many items that were."""
        count = len(self._waiting)
        self.drop(count, now)
        self._unmarked = 0
        return count

    def _leave(self, count: int) -> None:
        for _ in range(count):
            self._waiting.popleft()
        self.done += count
