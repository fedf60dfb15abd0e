"""A consumer of a group, with a Redis that the test answers for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.events import encode
from llmproxy.core.events.sourced import Sourced
from llmproxy.interfaces.events import IEventSource
from llmproxy.redis.connection import RedisDown, RedisRefused
from llmproxy.redis.streams import Reader
from llmproxy.sinks.groupsource import GroupSource, Patience

from ..cache.fakeredis import HOLD, FakeConnector
from ..core.events.samples import event

DATA = encode(event(1))


def entry(number: int, data: bytes = DATA) -> list[Any]:
    return [b"%d-0" % number, [b"data", data]]


class FakeStream:
    """
    As much of a stream as a consumer asks about.

    @ivar new: entries that nobody was given.
    @ivar own: ids with deliveries that are pending for this consumer.
    @ivar claims: replies to what is claimed, in their order.
    @ivar trimmed: ids that are in the stream no more.
    @ivar faults: what a command is refused with, by its first word.
    """

    def __init__(self) -> None:
        self.new: list[Any] = []
        self.own: list[tuple[bytes, int]] = []
        self.claims: list[Any] = []
        self.trimmed: set[bytes] = set()
        self.faults: dict[bytes, str] = {}
        self.consumers: list[Any] = []
        self.groups: Any = [[b"name", b"g", b"lag", 5]]
        self.asked: list[list[bytes]] = []

    def answer(self, words: list[bytes]) -> Any:
        self.asked.append(words)
        kind = words[0]
        if kind == b"EVAL":
            kind = next(name for name in (b"XAUTOCLAIM", b"RETRYCOUNT", b"DELCONSUMER", b"JUSTID") if name in words[1])
        if kind in self.faults:
            return RedisRefused(self.faults[kind])
        reply: Any = getattr(self, kind.decode().lower())(words)
        return reply

    def named(self, kind: bytes) -> list[list[bytes]]:
        return [words for words in self.asked if words[0] == kind or (words[0] == b"EVAL" and kind in words[1])]

    def xgroup(self, words: list[bytes]) -> Any:
        return b"OK"

    def xpending(self, words: list[bytes]) -> Any:
        if len(words) == 3:
            return [7, b"1-0", b"9-0", []]
        after = words[3][1:] if words[3].startswith(b"(") else b""
        rows = [[each, b"me", 0, count] for each, count in self.own if each > after]
        return rows[: int(words[5])]

    def xlen(self, words: list[bytes]) -> Any:
        return 9

    def xinfo(self, words: list[bytes]) -> Any:
        if words[1] == b"CONSUMERS":
            return self.consumers
        if words[1] == b"STREAM":
            return [b"length", 9, b"last-generated-id", b"9-0"]
        return self.groups

    def xautoclaim(self, words: list[bytes]) -> Any:
        return self.claims.pop(0) if self.claims else [b"0-0", [], []]

    def xclaim(self, words: list[bytes]) -> Any:
        return [[each, [b"data", DATA]] for each in words[5:] if each not in self.trimmed]

    def xreadgroup(self, words: list[bytes]) -> Any:
        if not self.new:
            return HOLD
        found, self.new = self.new[: int(words[5])], self.new[int(words[5]) :]
        return [[b"s", found]]

    def xack(self, words: list[bytes]) -> Any:
        return len(words) - 3

    justid = retrycount = delconsumer = xack


class GroupSourceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.stream = FakeStream()
        self.connector = FakeConnector()
        self.connector.answers = self.stream.answer
        self.source = GroupSource(self.clock, self.connector, Reader(b"s", b"g", b"me"), Patience(5.0, 30.0, 1.0))
        self.assertTrue(verifyObject(IEventSource, self.source))

    def read(self, most: int = 10) -> Deferred[Sequence[Sourced]]:
        return self.source.read(most)

    def found(self, most: int = 10) -> list[tuple[str, int]]:
        return [(each.id, each.deliveries) for each in self.successResultOf(self.read(most))]

    def acknowledge(self, *ids: str) -> None:
        self.successResultOf(self.source.acknowledge(ids))

    def test_new(self) -> None:
        """The group is made from the beginning of the stream, then new entries come, with their events."""
        self.stream.new = [entry(1), entry(2), entry(3)]
        found = self.successResultOf(self.read(2))
        first = found[0]
        self.assertEqual((first.id, first.event, first.data, first.deliveries), ("1-0", event(1), DATA, 1))
        self.assertEqual(self.stream.asked[0], [b"XGROUP", b"CREATE", b"s", b"g", b"0", b"MKSTREAM"])
        self.assertEqual((len(found), self.source.held, self.source.is_connected), (2, 2, True))
        self.assertEqual(self.found(), [("3-0", 1)])
        self.acknowledge("1-0", "3-0")
        self.assertEqual((self.stream.named(b"XACK")[-1], self.source.held), ([b"XACK", b"s", b"g", b"1-0", b"3-0"], 1))

    def test_group_is_there(self) -> None:
        """A group that is there is joined; what else Redis refuses is a failure."""
        self.stream.faults[b"XGROUP"] = "BUSYGROUP Consumer Group name already exists"
        self.stream.new = [entry(1)]
        self.assertEqual(self.found(), [("1-0", 1)])
        self.setUp()
        self.stream.faults[b"XGROUP"] = "NOAUTH Authentication required"
        self.failureResultOf(self.read(), RedisRefused)

    def test_begins_with(self) -> None:
        """A group of one of several sinks begins where their group stood before there were several."""
        reader = Reader(b"s", b"g-log", b"me")
        for groups, expected in (
            ([[b"name", b"g", b"last-delivered-id", b"7-1"]], b"7-1"),
            ([[b"name", b"h", b"last-delivered-id", b"7-1"]], b"0"),
            (RedisRefused("ERR no such key"), b"0"),
        ):
            self.setUp()
            self.stream.groups = groups
            source = GroupSource(self.clock, self.connector, reader, Patience(), b"g")
            self.addCleanup(source.close)
            source.read(1).addErrback(lambda _: None)
            self.assertEqual(self.stream.named(b"XGROUP")[0][4], expected, groups)

    def test_abandoned(self) -> None:
        """The names of consumers that were killed long ago are forgotten, if nothing is pending for them."""
        day = 24 * 3600 * 1000
        self.stream.consumers = [
            [b"name", b"old", b"pending", 0, b"idle", day],
            [b"name", b"busy", b"pending", 1, b"idle", day],
            [b"name", b"new", b"pending", 0, b"idle", day - 1],
        ]
        self.read()
        self.assertEqual([words[5] for words in self.stream.named(b"DELCONSUMER")], [b"old"])

    def test_no_event(self) -> None:
        """What is no event comes as it is, to be a dead letter."""
        self.stream.new = [entry(1, b"{"), [b"2-0", [b"other", b"x"]]]
        found = self.successResultOf(self.read())
        self.assertEqual([(each.event, each.data) for each in found], [(None, b"{"), (None, b"")])

    def test_own(self) -> None:
        """What this consumer had before comes first, all of it; it counts as another delivery."""
        self.stream.own = [(b"%03d-0" % number, 1) for number in range(150)]
        self.stream.new = [entry(999)]
        ids = [each for _ in range(3) for each, _ in self.found(100)]
        self.assertEqual(len(set(ids)), 151)
        self.assertEqual(ids[-1], "999-0")

    def test_own_again_after_a_loss(self) -> None:
        """What Redis handed out as the connection ended is found again; what is here comes only once."""
        self.stream.new = [entry(1)]
        self.found()
        read = self.read()
        self.connector.connections[0].abort()
        self.failureResultOf(read, RedisDown)
        self.stream.own = [(b"1-0", 1), (b"2-0", 1)]
        self.assertEqual(self.found(), [("2-0", 2)])

    def test_cancelled(self) -> None:
        """Who gives up the wait loses nothing."""
        read = self.read()
        read.cancel()
        self.failureResultOf(read, CancelledError)
        self.stream.own = [(b"1-0", 1)]
        self.assertEqual(self.found(), [("1-0", 2)])

    def test_claimed(self) -> None:
        """What others have left is taken over, before what is new, now and then."""
        self.stream.claims = [[b"5-0", [[b"1-0", 1]], []], [b"0-0", [[b"6-0", 1]], []]]
        self.stream.new = [entry(9), entry(10)]
        self.assertEqual([self.found(1) for _ in range(3)], [[("1-0", 2)], [("6-0", 2)], [("9-0", 1)]])
        first, second = self.stream.named(b"XAUTOCLAIM")
        self.assertEqual((first[6:], second[6:]), ([b"30000", b"0-0", b"1"], [b"30000", b"5-0", b"1"]))
        self.assertEqual(self.source.claimed, 2)
        self.clock.advance(15)
        self.found()
        self.assertEqual(len(self.stream.named(b"XAUTOCLAIM")), 3)

    def test_claims_do_not_wait_for_quiet(self) -> None:
        """Under load, and while nothing comes, claims are due at the same times: a read does not wait beyond."""
        read = self.read()
        self.assertEqual(self.stream.named(b"XREADGROUP")[0][7], b"5000")
        self.connector.connections[0].answer(None)
        self.assertEqual(self.successResultOf(read), [])
        self.clock.advance(14)
        self.read()
        self.assertEqual(self.stream.named(b"XREADGROUP")[1][7], b"1000")

    def test_own_is_not_claimed(self) -> None:
        """What is here is not taken over from itself, after a pause of this process."""
        self.stream.new = [entry(1)]
        self.found()
        self.clock.advance(40)
        self.stream.claims = [[b"0-0", [[b"1-0", 1]], []]]
        self.stream.new = [entry(2)]
        self.assertEqual(self.found(), [("2-0", 1)])

    def test_alone(self) -> None:
        """What was delivered often in vain is handed on alone, one after the other, and nothing else meanwhile."""
        self.stream.own = [(b"1-0", 1), (b"2-0", 3), (b"3-0", 4)]
        self.stream.new = [entry(9)]
        self.assertEqual(self.found(), [("1-0", 2)])
        waits = self.read()
        self.assertNoResult(waits)
        self.acknowledge("1-0")
        self.assertEqual(self.successResultOf(waits), [])
        self.stream.own = []
        self.assertEqual(self.found(), [("2-0", 4)])
        waits = self.read()
        self.clock.advance(5.0)
        self.assertEqual(self.successResultOf(waits), [])
        self.acknowledge("2-0")
        self.assertEqual(self.found(), [("3-0", 5)])
        self.acknowledge("3-0")
        self.assertEqual(self.found(), [("9-0", 1)])

    def test_trimmed(self) -> None:
        """What is in the stream no more is counted, acknowledged, and not waited for."""
        self.stream.own = [(b"1-0", 1), (b"2-0", 1), (b"3-0", 3)]
        self.stream.trimmed = {b"1-0", b"3-0"}
        self.stream.claims = [[b"0-0", [], [b"0-1"]]]
        self.assertEqual(self.found(), [("2-0", 2)])
        self.acknowledge("2-0")
        self.stream.own = []
        self.assertEqual(self.found(), [])
        self.stream.new = [entry(9)]
        self.assertEqual(self.found(), [("9-0", 1)])
        self.assertEqual((self.source.gone, self.source.held), (3, 1))

    def test_group_is_gone(self) -> None:
        """A group that somebody deletes is made anew."""
        for kind, words in (
            (b"XREADGROUP", "NOGROUP No such key"),
            (b"XREADGROUP", "UNBLOCKED the stream key no longer exists"),
            (b"XAUTOCLAIM", "ERR Error running script (call to f_1): @user_script: 2: -NOGROUP No such key"),
        ):
            self.setUp()
            self.stream.faults[kind] = words
            self.assertEqual(self.found(), [], words)
            self.stream.faults.clear()
            self.stream.new = [entry(1)]
            self.assertEqual(self.found(), [("1-0", 1)], words)
            self.assertEqual(len(self.stream.named(b"XGROUP")), 2, words)

    def test_touched(self) -> None:
        """What is worked on is touched while that lasts, so that nobody takes it over."""
        self.stream.new = [entry(1), entry(2)]
        self.found()
        self.acknowledge("1-0")
        self.clock.advance(10)
        self.assertEqual([words[6:] for words in self.touched()], [[b"2-0"]])
        self.acknowledge("2-0")
        self.clock.advance(10)
        self.assertEqual(len(self.touched()), 1)

    def touched(self) -> list[list[bytes]]:
        return [words for words in self.stream.named(b"JUSTID") if b"XAUTOCLAIM" not in words[1]]

    def test_not_acknowledged(self) -> None:
        """What Redis does not take now it is asked again, a little later."""
        self.stream.new = [entry(1)]
        self.found()
        self.stream.faults[b"XACK"] = "READONLY You can't write against a read only replica"
        self.acknowledge("1-0")
        self.assertEqual(self.source.held, 1)
        self.stream.faults.clear()
        self.clock.advance(10)
        self.assertEqual(self.source.held, 0)

    def test_waiting(self) -> None:
        """What is pending, and what was not read."""
        self.assertEqual(self.successResultOf(self.source.waiting()), 12)
        self.assertEqual(self.successResultOf(self.source.length()), 9)
        for last, count in ((b"9-0", 7), (b"8-0", 8)):
            self.stream.groups = [[b"name", b"g", b"last-delivered-id", last, b"lag", None]]
            self.assertEqual(self.successResultOf(self.source.waiting()), count, last)

    def test_close(self) -> None:
        """What was not delivered is given back with the deliveries that it had, for any consumer to claim at once."""
        self.stream.own = [(b"0-1", 1)]
        self.stream.new = [entry(1), entry(2)]
        self.found()
        self.found()
        self.acknowledge("1-0")
        read = self.read()
        self.successResultOf(self.source.close())
        self.failureResultOf(read, RedisDown)
        [given] = self.stream.named(b"RETRYCOUNT")
        self.assertEqual(given[7:], [b"0-1", b"1", b"2-0", b"0"])
        self.assertEqual((self.stream.named(b"DELCONSUMER"), self.clock.getDelayedCalls()), ([], []))
        self.assertTrue(all(each.aborted for each in self.connector.connections))

    def test_close_with_nothing(self) -> None:
        """A consumer that has nothing is forgotten; one that never read has nothing to say."""
        self.stream.new = [entry(1)]
        self.found()
        self.acknowledge("1-0")
        self.successResultOf(self.source.close())
        self.assertEqual(len(self.stream.named(b"DELCONSUMER")), 1)
        self.setUp()
        self.successResultOf(self.source.close())
        self.assertEqual(self.stream.asked, [])
        self.failureResultOf(self.read(), RedisDown)

    def test_close_without_redis(self) -> None:
        """The end comes where Redis is away, too."""
        self.stream.new = [entry(1)]
        self.found()
        for connection in self.connector.connections:
            connection.abort()
        self.connector.failure = OSError("refused")
        self.successResultOf(self.source.close())
