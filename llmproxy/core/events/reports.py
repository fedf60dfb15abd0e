"""Reports of sinks: what one process knows of each, and of several processes one of all."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve, frozen

SUMS = ("waiting", "spooled", "spooled_bytes", "delivered", "dead", "lost", "failures", "batches")


@frozen
class SinkReport:
    """
    A sink as one process sees it, or several together.

    @ivar processes: that have said this.
    @ivar failing: in how many of them the last attempt failed.
    @ivar waiting: events in memory.
    @ivar spooled: events on disk, of C{spooled_bytes}.
    @ivar delivered: events that its receiver has, in C{batches}.
    @ivar dead: events that became dead letters.
    @ivar lost: events that it never gets, and that stand nowhere.
    @ivar failures: attempts that failed.
    @ivar error: what the last attempt failed with, masked; C{""} where it did not.
    @ivar answer: what the receiver said last, masked.
    @ivar delivered_at: when it took something last, in seconds since the epoch; 0 for never.
    """

    name: str
    type: str
    processes: int = 1
    failing: int = 0
    waiting: int = 0
    spooled: int = 0
    spooled_bytes: int = 0
    delivered: int = 0
    dead: int = 0
    lost: int = 0
    failures: int = 0
    batches: int = 0
    error: str = ""
    answer: str = ""
    delivered_at: float = 0.0

    @property
    def state(self) -> str:
        """In a word: C{failing} in every process, C{degraded} in some, C{ok}."""
        if not self.failing:
            return "ok"
        return "failing" if self.failing >= self.processes else "degraded"

    def with_other(self, other: SinkReport) -> SinkReport:
        """What both say; where one answer stands, the latest."""
        later = other if other.delivered_at > self.delivered_at else self
        return evolve(
            self,
            processes=self.processes + other.processes,
            failing=self.failing + other.failing,
            error=self.error or other.error,
            answer=later.answer or self.answer or other.answer,
            delivered_at=later.delivered_at,
            **{name: getattr(self, name) + getattr(other, name) for name in SUMS},
        )


def summed(reports: Iterable[SinkReport]) -> list[SinkReport]:
    """One of each sink, in the order of the configuration."""
    found: dict[str, SinkReport] = {}
    for each in reports:
        found[each.name] = found[each.name].with_other(each) if each.name in found else each
    return list(found.values())
