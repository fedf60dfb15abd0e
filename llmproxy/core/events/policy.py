"""The policy of a sink: how its events are gathered, how many wait where, and how hard it tries."""

from __future__ import annotations

from attrs import frozen

from ..delivery import DeliveryPolicy

QUEUE = 10_000
QUEUE_BYTES = 16 * 1024 * 1024
SPOOL = 64 * 1024 * 1024
DEAD_LETTERS = 16 * 1024 * 1024

PLAIN_SIZE = 1024
"""Bytes that an event without content is counted as: what it takes in memory, about."""

STOPS_WITHIN = 5.0
"""Seconds that a sink gets at the end; what it has not taken by then is on disk at the next start."""


@frozen
class SinkPolicy:
    """
    Durations are seconds, sizes bytes; all bounds are those of one process.

    @ivar batch: events in one attempt at most.
    @ivar flush_interval: how long an event waits for others.
    @ivar queue: events in memory at most, and C{queue_bytes} of them.
    @ivar spool: on disk, for those that come while the receiver is away or slow; 0 for none.
    @ivar dead_letters: on disk, of what the receiver never takes; 0 for none.
    @ivar timeout: what one attempt may take.
    @ivar attempts: how often a batch is tried before it becomes dead letters; 0 for until it is taken.
    @ivar retry_base: before the second attempt; each further one waits twice as long, up to C{retry_most}.
    """

    batch: int = 100
    flush_interval: float = 1.0
    queue: int = QUEUE
    queue_bytes: int = QUEUE_BYTES
    spool: int = SPOOL
    dead_letters: int = DEAD_LETTERS
    timeout: float = 30.0
    attempts: int = 0
    retry_base: float = 0.5
    retry_most: float = 30.0

    def delivery(self) -> DeliveryPolicy:
        """What the queue in memory goes by; what is let in is decided before, so that it is never full."""
        return DeliveryPolicy(
            most_waiting=2**31,
            batch=self.batch,
            gather_for=self.flush_interval,
            retry_base=self.retry_base,
            retry_most=self.retry_most,
            last_attempts=1,
            stop_within=STOPS_WITHIN,
            fills=True,
        )
