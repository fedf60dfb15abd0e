"""Tests for L{llmproxy.store.duty}, on a database that several processes share."""

from __future__ import annotations

from sqlalchemy import text
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import Unavailable
from llmproxy.store.database import Database
from llmproxy.store.duty import EVERY, HELD_FOR, Duty

from .databases import clock_at, opened


class DutyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.path = clock_at(), self.mktemp()
        self.done: list[str] = []

    def process(self, name: str, failure: Exception | None = None) -> Duty:
        async def work() -> None:
            self.done.append(name)
            if failure is not None:
                raise failure

        return Duty(self.clock, self.database(), "audit", work)

    def database(self) -> Database:
        return opened(self, self.path, clock=self.clock)

    def test_one_at_a_time(self) -> None:
        """The first has it for as long as it comes back; another one takes it over from one that does not."""
        one, two = self.process("one"), self.process("two")
        for duty in (one, two, two, one):
            self.successResultOf(duty.round())
        self.assertEqual(self.done, ["one", "one"])
        self.clock.advance(HELD_FOR + 1)
        self.successResultOf(two.round())
        self.successResultOf(one.round())
        self.assertEqual(self.done[2:], ["two"])

    def test_clock_set_back(self) -> None:
        """A process whose clock was far ahead does not keep it for ever; neither does what is no name of one."""
        self.successResultOf(self.process("one").round())
        for value in ("x 99999999999", "x", "", "x y"):
            statement = text("UPDATE settings SET value = :value WHERE name = 'duty.audit'")
            self.successResultOf(self.database().run(lambda c, v=value, s=statement: c.execute(s, {"value": v})))
            self.successResultOf(self.process(value).round())
        self.assertEqual(len(self.done), 5)

    def test_intervals(self) -> None:
        """A round each minute; one that fails is told of, and the next comes all the same."""
        broken = self.process("broken", ZeroDivisionError())
        broken.start()
        self.clock.pump([EVERY] * 3)
        self.assertEqual(len(self.done), 3)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)
        self.successResultOf(broken.stop())
        self.clock.advance(EVERY)
        self.assertEqual(len(self.done), 3)

    def test_database_away(self) -> None:
        """It says so itself."""
        self.successResultOf(self.process("x", Unavailable("away")).round())

    def test_stop(self) -> None:
        """It waits for the round that runs, which sees that it should end."""
        held: Deferred[None] = Deferred()

        async def work() -> None:
            await held

        duty = Duty(self.clock, self.database(), "audit", work)
        duty.start()
        self.clock.advance(EVERY)
        stopping = duty.stop()
        self.assertNoResult(stopping)
        self.assertTrue(duty.stopping)
        held.callback(None)
        self.successResultOf(stopping)
