"""Reads of one page."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import Unavailable
from llmproxy.store.together import (
    beginning,
    begun_together,
    every,
    group,
    is_together,
    once,
    single,
    stepwise,
)

from .databases import opened


def value(number: int) -> Any:
    return lambda connection: connection.scalar(text(f"SELECT {number}"))  # type: ignore[attr-defined]


class TogetherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = opened(self)

    def begun(self, *calls: Any) -> list[Deferred[Any]]:
        async def ask(call: Any) -> Any:
            return await self.database.read(call)

        return begun_together(lambda: [Deferred.fromCoroutine(ask(call)) for call in calls])

    def test_one_transaction(self) -> None:
        """What is asked at once is one transaction, which begins once; the results are in their order."""
        before = self.database.statements
        self.assertEqual([self.successResultOf(each) for each in self.begun(value(1), value(2))], [1, 2])
        self.assertEqual(self.database.statements - before, 3)

    def test_next_round(self) -> None:
        """What several ask next is asked together again."""

        async def twice(number: int) -> int:
            first: int = await self.database.read(value(number))
            second: int = await self.database.read(value(number + 10))
            return first + second

        before = self.database.statements
        found = begun_together(lambda: [Deferred.fromCoroutine(twice(number)) for number in (1, 2)])
        self.assertEqual([self.successResultOf(each) for each in found], [12, 14])
        self.assertEqual(self.database.statements - before, 6)

    def test_not_others(self) -> None:
        """Who asks outside of it is not part of it, and a read after its end is made at once."""
        self.begun(value(1))
        self.assertIsNone(group())
        self.assertEqual(self.successResultOf(self.database.read(value(3))), 3)

    def test_one_fails(self) -> None:
        """What one of them raises is its own; what the database fails with is that of all."""

        def wrong(connection: Any) -> None:
            raise ValueError("mine")

        first, second = self.begun(wrong, value(2))
        self.failureResultOf(first, ValueError)
        self.assertEqual(self.successResultOf(second), 2)
        nothing = lambda connection: connection.execute(text("SELECT * FROM nothing"))  # noqa: E731
        for each in self.begun(nothing, value(2)):
            self.failureResultOf(each, Unavailable)

    def test_cancelled(self) -> None:
        """One that nobody waits for any more does not keep the others from their results."""
        found: list[Any] = []

        async def ask(number: int) -> None:
            found.append(await self.database.read(value(number)))

        def begin() -> list[Deferred[None]]:
            begun = [Deferred.fromCoroutine(ask(number)) for number in (1, 2)]
            begun[0].addErrback(lambda reason: None)
            begun[0].cancel()
            return begun

        begun_together(begin)
        self.assertEqual(found, [2])

    def test_single(self) -> None:
        """One statement needs no transaction, alone or among others that are single too; a write neither."""
        before = self.database.statements
        self.assertEqual(self.successResultOf(self.database.read(single(value(1)))), 1)
        self.assertEqual(self.database.statements - before, 1)
        self.assertEqual(
            [self.successResultOf(each) for each in self.begun(single(value(1)), single(value(2)))], [1, 2]
        )
        self.assertEqual(self.database.statements - before, 3)
        written = single(lambda connection: connection.execute(text("UPDATE admins SET name = 'x'")).rowcount)
        self.assertEqual(self.successResultOf(self.database.run(written)), 0)
        self.assertEqual(self.database.statements - before, 4)

    def test_beginning(self) -> None:
        """What a transaction has to begin with comes first, once."""
        noted: list[str] = []

        def before(connection: Any) -> None:
            noted.append("before")

        def read(connection: Any) -> None:
            noted.append("read")

        self.begun(lambda connection: noted.append("other"), beginning(before, read), beginning(before, lambda c: None))
        self.assertEqual(noted, ["before", "other", "read"])

    def test_once(self) -> None:
        """What a page asks twice is found once; who is no page asks each time, and nothing is kept for later."""
        made: list[int] = []

        def ask(connection: Any) -> int:
            return once(connection, "thing", lambda: made.append(1) or len(made))

        self.assertEqual([self.successResultOf(each) for each in self.begun(ask, ask)], [1, 1])
        self.assertEqual([self.successResultOf(self.database.read(ask)) for _ in range(2)], [2, 3])
        self.assertEqual([self.successResultOf(each) for each in self.begun(ask)], [4])

    def test_every(self) -> None:
        """Several reads of one connection know that they are."""
        asked = self.database.read(lambda connection: [is_together(connection), every(connection, [is_together], {})])
        self.assertEqual(self.successResultOf(asked), [False, [True]])
        [failed] = self.successResultOf(self.database.read(lambda c: every(c, [lambda _: {}["x"]], {})))
        self.assertIsInstance(failed, Failure)


class StepTests(SynchronousTestCase):
    """Reads that are made in steps."""

    def setUp(self) -> None:
        self.database = opened(self)
        self.asked: list[list[str]] = []

    def read_all(self, connection: Any, queries: Any) -> list[Any]:
        self.asked.append([str(query) for query in queries])
        return [connection.execute(query).all() for query in queries]

    def counting(self, *numbers: int) -> Any:
        def steps(connection: Any) -> Any:
            total = 0
            for number in numbers:
                if not number:
                    raise ValueError("nothing")
                [(found,)] = yield text(f"SELECT {number}")
                total += found
            return total

        return stepwise(steps, self.read_all)

    def test_alone(self) -> None:
        """By itself each step is a statement."""
        self.assertEqual(self.successResultOf(self.database.read(self.counting(1, 2, 3))), 6)
        self.assertEqual(self.asked, [])

    def test_with_others(self) -> None:
        """Each step is made with those of the others that are not done; one that fails does not stop them."""
        reads = [self.counting(1, 2), lambda connection: "plain", self.counting(4, 0, 9), self.counting(8)]
        found = self.successResultOf(self.database.read(lambda connection: every(connection, reads, {})))
        self.assertEqual((found[0], found[1], found[3]), (3, "plain", 8))
        self.assertIsInstance(found[2], Failure)
        self.assertEqual(self.asked, [["SELECT 1", "SELECT 4", "SELECT 8"], ["SELECT 2"]])
