"""Tests for L{llmproxy.sinks.publisher}."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from llmproxy.core.masking import Masking
from llmproxy.interfaces import IRecordSink
from llmproxy.message import Record
from llmproxy.sinks.publisher import FLUSH_AFTER, MOST_WAITING, Publisher

from .records import a_record


@implementer(IRecordSink)
class Kept:
    def __init__(self) -> None:
        self.batches: list[list[Record]] = []

    def record_batch(self, records: Sequence[Record]) -> None:
        self.batches.append(list(records))


@implementer(IRecordSink)
class Broken:
    def record_batch(self, records: Sequence[Record]) -> None:
        raise OSError("disk full")


class PublisherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.kept = Kept()

    def test_masked(self) -> None:
        """No sink, whoever wrote it, is given a secret: neither one that looks like it nor one of this process."""
        publisher = Publisher(self.clock, [self.kept], masking=Masking(["management-canary"]))
        secret = "sk-WfppfE41yy3GctEDqEuaIw"
        publisher.publish(a_record(path=f"/v1/{secret}", user_agent=f"x {secret}", request_id="management-canary"))
        publisher.flush()
        [[record]] = self.kept.batches
        self.assertEqual(
            (record.path, record.user_agent, record.request_id), ("/v1/[masked]", "x [masked]", "[masked]")
        )

    def test_pending(self) -> None:
        """A record of which something is looked up is passed on when that is known, and the others do not wait."""
        first, second, third = a_record(), a_record(), a_record()
        pending = {first, second}
        publisher = Publisher(self.clock, [self.kept], pending=pending)
        for record in (first, second, third):
            publisher.publish(record)
        pending.remove(second)
        publisher.release(second)
        self.clock.advance(FLUSH_AFTER)
        self.assertEqual(self.kept.batches, [[second, third]])
        pending.remove(first)
        publisher.release(first)
        publisher.release(first)
        self.clock.advance(FLUSH_AFTER)
        self.assertEqual(self.kept.batches[1:], [[first]])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_pending_at_the_end(self) -> None:
        """A stop waits for no look-up: nothing is lost, and nothing comes twice."""
        first, later = a_record(), a_record()
        publisher = Publisher(self.clock, [self.kept], pending={first, later})
        publisher.publish(first)
        publisher.flush()
        self.assertEqual(self.kept.batches, [])
        publisher.stop()
        publisher.publish(later)
        for record in (first, later):
            publisher.release(record)
        self.assertEqual(self.kept.batches, [[first], [later]])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_batches(self) -> None:
        """Records reach the sinks together, in order, a moment after their exchanges ended."""
        publisher = Publisher(self.clock, [self.kept])
        first, second = a_record(), a_record()
        publisher.publish(first)
        publisher.publish(second)
        self.assertEqual(self.kept.batches, [])
        self.clock.advance(FLUSH_AFTER)
        self.assertEqual(self.kept.batches, [[first, second]])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_replace(self) -> None:
        """A sink in the place of another: what was published before goes to the former, and nothing to both."""
        other = Kept()
        publisher = Publisher(self.clock, [self.kept])
        first, second = a_record(), a_record()
        publisher.publish(first)
        publisher.replace(self.kept, other)
        publisher.publish(second)
        publisher.flush()
        self.assertEqual((self.kept.batches, other.batches), ([[first]], [[second]]))

    def test_bound(self) -> None:
        """Under a flood the records are passed on before too many of them wait."""
        publisher = Publisher(self.clock, [self.kept])
        for _ in range(MOST_WAITING):
            publisher.publish(a_record())
        self.assertEqual([len(batch) for batch in self.kept.batches], [MOST_WAITING])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_flush(self) -> None:
        """At the end nothing is left behind, and no timer either."""
        publisher = Publisher(self.clock, [self.kept])
        publisher.publish(a_record())
        publisher.flush()
        publisher.flush()
        self.assertEqual(len(self.kept.batches), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_broken_sink(self) -> None:
        """A sink that fails hurts no other one, and is reported once a minute, not once a batch."""
        publisher = Publisher(self.clock, [Broken(), self.kept])
        for _ in range(5):
            publisher.publish(a_record())
            self.clock.advance(1)
        self.assertEqual(len(self.kept.batches), 5)
        self.assertEqual(publisher.failed, 5)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.clock.advance(60)
        publisher.publish(a_record())
        publisher.flush()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_one_more(self) -> None:
        """A sink that comes later gets what comes later."""
        publisher = Publisher(self.clock, [self.kept])
        later = Kept()
        publisher.publish(a_record())
        publisher.add(later)
        publisher.publish(a_record())
        publisher.flush()
        self.assertEqual(
            ([len(batch) for batch in self.kept.batches], [len(batch) for batch in later.batches]), ([1, 1], [1])
        )

    def test_stopped(self) -> None:
        """What comes late is passed on at once, what comes later than that is dropped; no timer is left behind."""
        publisher = Publisher(self.clock, [self.kept])
        publisher.publish(a_record())
        publisher.stop()
        publisher.publish(a_record())
        self.assertEqual([len(batch) for batch in self.kept.batches], [1, 1])
        publisher.close()
        publisher.publish(a_record())
        self.assertEqual((len(self.kept.batches), self.clock.getDelayedCalls()), (2, []))
