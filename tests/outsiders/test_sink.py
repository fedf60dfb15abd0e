"""A sink of one's own: what each project used, sent to an accounting service that is away for a while."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from llmproxy import DeliveryPolicy, DeliveryQueue, IRecordSink, Record
from llmproxy.testing import PROJECT, MemoryProxy

Row = tuple[str, str, int]


@implementer(IRecordSink)
class Accounting:
    name = "accounting"

    def __init__(self, clock: Clock) -> None:
        self.rows: list[Row] = []
        self.away = False
        self.closed = False
        self.queue: DeliveryQueue[Row] = DeliveryQueue(clock, self, DeliveryPolicy(most_waiting=3), "accounting")

    def record_batch(self, records: Sequence[Record]) -> None:
        for record in records:
            self.queue.put((record.project_id, record.method, record.bytes_out))

    def write(self, batch: Sequence[Row]) -> Deferred[None]:
        if self.away:
            return fail(OSError("away"))
        self.rows += batch
        return succeed(None)

    def close(self) -> Deferred[None]:
        self.closed = True
        return succeed(None)


class SinkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sink = Accounting(self.clock)
        self.proxy = MemoryProxy(record_sinks=[self.sink])

    def ask(self, body: bytes) -> None:
        self.proxy.request("GET", "/v1/models")
        self.proxy.upstream.next().answer(200, body)

    def test_interface(self) -> None:
        verifyObject(IRecordSink, self.sink)

    def test_delivered(self) -> None:
        """Each exchange becomes a row, also those that the service was away for; in order, and once."""
        self.sink.away = True
        self.ask(b"1")
        self.ask(b"22")
        self.proxy.clock.advance(1)
        self.clock.advance(1)
        self.assertEqual((self.sink.rows, self.sink.queue.waiting), ([], 2))
        self.sink.away = False
        self.clock.advance(5)
        self.assertEqual(self.sink.rows, [(PROJECT.id, "GET", 1), (PROJECT.id, "GET", 2)])

    def test_end(self) -> None:
        """The proxy passes on what it knows when it stops, and the queue sends it when it stops."""
        self.ask(b"1")
        self.successResultOf(self.proxy.stop())
        self.successResultOf(self.sink.queue.stop())
        self.assertEqual((self.sink.rows, self.sink.closed), ([(PROJECT.id, "GET", 1)], True))

    def test_bounded(self) -> None:
        """A service that stays away takes a bounded amount of memory, and what is lost is counted."""
        self.sink.away = True
        for _ in range(5):
            self.ask(b"1")
        self.proxy.clock.advance(1)
        self.assertEqual((self.sink.queue.waiting, self.sink.queue.lost), (3, 2))
