"""Settlements: kept in order until Redis has them, each once."""

from __future__ import annotations

from llmproxy.core.limits.verdicts import Part
from llmproxy.limits import settlements
from llmproxy.redis.connection import RedisRefused

from ..cache.fakeredis import HOLD
from .fakes import BUDGET, TOKENS, LimitsTestCase


class SettlementTests(LimitsTestCase):
    def end(self, count: int = 1, used: int = 3) -> None:
        for _ in range(count):
            self.store.settle(self.held(Part(TOKENS, 5)), [used])

    def numbers(self) -> list[bytes]:
        """Of the batches that were sent."""
        return [words[int(words[0]) + 1] for words in self.part_names("SETTLE")]

    def test_batches(self) -> None:
        """Many that end within a moment are one call."""
        self.end(50)
        self.pass_time(settlements.SOON)
        [words] = self.part_names("SETTLE")
        self.assertEqual((words[0], self.store.waiting), (b"101", 0))

    def test_large_batches(self) -> None:
        """Redis does nothing else while it runs one: they are bounded."""
        self.patch(settlements, "MOST_AT_ONCE", 10)
        self.end(25)
        self.pass_time(0.2)
        self.assertEqual([int(words[0]) // 2 for words in self.part_names("SETTLE")], [10, 10, 5])

    def test_nothing_to_settle(self) -> None:
        """What was used as it was reserved is known."""
        self.end(used=5)
        self.assertEqual(self.store.waiting, 0)

    def test_lost_answer(self) -> None:
        """A batch whose answer was lost goes again by the same number; the next has another."""
        self.replies["SETTLE"] = HOLD
        self.end()
        self.pass_time(settlements.SOON)
        self.redis.abort()
        self.replies["SETTLE"] = []
        self.end()
        self.pass_time(4)
        self.assertEqual(self.numbers(), [b"1", b"1", b"2"])
        self.assertEqual(self.store.waiting, 0)

    def test_refused(self) -> None:
        """A Redis that is full is asked again after a while, not all the time."""
        self.replies["SETTLE"] = RedisRefused("OOM command not allowed")
        self.end()
        self.pass_time(3.5)
        self.assertEqual(self.numbers(), [b"1"] * 4)
        self.replies["SETTLE"] = []
        self.pass_time(1)
        self.assertEqual(self.store.waiting, 0)

    def test_hopeless(self) -> None:
        """What would be refused each time does not keep the others waiting."""
        self.replies["SETTLE"] = RedisRefused("ERR increment or decrement would overflow")
        self.end()
        self.pass_time(settlements.SOON)
        self.replies["SETTLE"] = []
        self.end()
        self.pass_time(2)
        self.assertEqual((self.store.waiting, self.store.statistics()["settlements_dropped"]), (0, 1))

    def test_bounded(self) -> None:
        """What waits for a Redis that is away is bounded, and what is dropped is counted."""
        self.patch(settlements, "MOST_WAITING", 3)
        self.lose()
        self.end(5)
        self.assertEqual((self.store.waiting, self.store.statistics()["settlements_dropped"]), (3, 2))

    def test_warnings(self) -> None:
        """They go by what all have spent, and come from the one that passed the share."""
        self.replies["SETTLE"] = [b"490"]
        self.store.settle(self.held(Part(BUDGET, 100)), [20])
        self.pass_time(settlements.SOON)
        self.assertEqual([(each.share, each.used) for each in self.warned], [(50, 510)])

    def test_stopping(self) -> None:
        """What has ended is passed on before the connections end."""
        self.end()
        self.successResultOf(self.store.stop())
        self.assertEqual(self.numbers(), [b"1"])

    def test_stopping_without_an_answer(self) -> None:
        """It does not take long."""
        self.replies["SETTLE"] = HOLD
        self.end()
        stopping = self.store.stop()
        self.assertNoResult(stopping)
        self.pass_time(0.1)
        self.successResultOf(stopping)
