"""Tests of L{llmproxy.limits.leased}, on a database in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.values import PICO, Rule
from llmproxy.core.limits.verdicts import Crossed, Part, Refusal
from llmproxy.errors import Unavailable
from llmproxy.limits.leased import ANSWERS_WITHIN, AWAY_FOR, FOREIGN_FOR, LeasedBudgets, Taken
from llmproxy.limits.leasefile import LeaseFile
from llmproxy.store.budgets import BudgetLeases

from ..store.databases import clock_at, opened
from ..tables import row

BUDGET = Rule("money", "token:t", 100 * PICO, "max_budget of the token 'ci'", "1d")


class Gate:
    """
    The leases of a process, which can be held up.

    @ivar closed: what is asked waits, in order, until it is opened.
    @ivar broken: nothing is answered.
    """

    def __init__(self, leases: BudgetLeases) -> None:
        self._leases = leases
        self.closed = self.broken = False
        self.held: list[Callable[[], object]] = []
        self.asked = 0

    def open(self) -> None:
        self.closed = False
        held, self.held = self.held, []
        for each in held:
            each()

    def say(self, asks: Any) -> Deferred[Any]:
        self.asked += 1
        if self.broken:
            return fail(Unavailable("the database cannot be asked"))
        if not self.closed:
            return self._leases.say(asks)
        waiting: Deferred[Any] = Deferred()
        self.held.append(lambda: self._leases.say(asks).chainDeferred(waiting))
        return waiting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._leases, name)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = opened(self, clock=self.clock)
        self.directory = os.path.abspath(self.mktemp())
        self.warned: list[Crossed] = []
        self.before = 0
        self.gates: list[Gate] = []
        self.one, self.other = self.process("1"), self.process("2")

    def process(self, digit: str) -> LeasedBudgets:
        holder = digit * 32
        gate = Gate(BudgetLeases(self.clock, self.database, holder))
        self.gates.append(gate)
        spent = lambda rule: succeed(self.before)  # noqa: E731
        spent_of = lambda rules: succeed([self.before] * len(rules))  # noqa: E731
        made = LeasedBudgets(self.clock, gate, holder, spent, spent_of, self.warned.append, self.directory)  # type: ignore[arg-type]
        made.start()
        self.addCleanup(made.stop)
        return made

    def reserve(self, budgets: LeasedBudgets, amount: int, *more: Rule, rule: Rule = BUDGET) -> Taken | Refusal:
        found = budgets.reserve([Part(each, amount) for each in (rule, *more)])
        return self.successResultOf(found) if isinstance(found, Deferred) else found

    def spend(self, budgets: LeasedBudgets, amount: int, used: int, rule: Rule = BUDGET) -> None:
        held = self.reserve(budgets, amount, rule=rule)
        assert isinstance(held, Taken), held
        budgets.settle(held, [used])

    def used(self, budgets: LeasedBudgets, rule: Rule = BUDGET) -> int:
        [left] = self.successResultOf(budgets.left([rule]))
        self.assertEqual(left.left, max(0, rule.limit - left.used))
        return left.used

    def tick(self, times: int = 2) -> None:
        for _ in range(times):
            self.clock.advance(2.0)


class SharedTests(Case):
    """Two processes that share a budget."""

    def test_exact(self) -> None:
        """Together they admit what fits in it, whoever asks, and no more; what is left over by leases comes back."""
        held = []
        for number in range(400):
            outcome = self.reserve((self.one, self.other)[number % 2], PICO // 2)
            held += [outcome] if isinstance(outcome, Taken) else []
            self.clock.advance(0.3)
        self.assertEqual(len(held), 200)
        refusal = self.reserve(self.one, PICO // 2)
        assert isinstance(refusal, Refusal)
        self.assertEqual((refusal.rule, refusal.left), (BUDGET, 0))
        self.assertEqual(refusal.resets_in, (BUDGET.span(self.clock.seconds())[1] or 0) - self.clock.seconds())

    def test_asks_seldom(self) -> None:
        """While there is much left, the database is asked now and then."""
        for _ in range(300):
            self.spend(self.one, PICO // 100, PICO // 100)
        self.assertLess(self.gates[0].asked, 5)

    def test_spent(self) -> None:
        """What is used is settled; the rest is there again, here at once and for others when it is written down."""
        self.spend(self.one, 60 * PICO, PICO)
        self.assertEqual(self.used(self.one), PICO)
        self.spend(self.one, 60 * PICO, PICO)
        self.tick()
        self.assertEqual([self.used(self.one), self.used(self.other)], [2 * PICO, 2 * PICO])
        self.spend(self.other, 98 * PICO, 98 * PICO)
        self.assertIsInstance(self.reserve(self.one, 1), Refusal)

    def test_begun_by_the_ledger(self) -> None:
        """It goes on where it was."""
        self.before = 90 * PICO
        self.assertEqual(self.used(self.other), 90 * PICO)
        self.assertIsInstance(self.reserve(self.one, 11 * PICO), Refusal)
        self.clock.advance(3)
        self.spend(self.one, 10 * PICO, 10 * PICO)

    def test_all_or_none(self) -> None:
        """Of several budgets all are taken, or none is."""
        project = evolve(BUDGET, scope="project:p", limit=5 * PICO)
        refusal = self.reserve(self.one, 6 * PICO, project)
        assert isinstance(refusal, Refusal)
        self.assertEqual(refusal.rule.scope, "project:p")
        self.assertIsNone(refusal.resets_in)
        self.assertEqual([self.used(self.one), self.used(self.one, evolve(project))], [0, 0])
        self.assertIsInstance(self.reserve(self.one, 5 * PICO, project), Taken)

    def test_warns(self) -> None:
        """Each share is said by one of them, when it is written down."""
        soft = evolve(BUDGET, soft=20 * PICO)
        for budgets in (self.one, self.other, self.one, self.other):
            self.spend(budgets, 25 * PICO, 25 * PICO, rule=soft)
            self.tick()
        self.assertEqual([each.share for each in self.warned], [0, 50, 80, 100])

    def test_only_warns(self) -> None:
        """A budget that refuses nothing needs no lease; it is counted all the same."""
        warns = evolve(BUDGET, over_budget="warn")
        for _ in range(3):
            self.spend(self.one, 60 * PICO, 60 * PICO, rule=warns)
        self.assertEqual(self.gates[0].asked, 0)
        self.tick()
        self.assertEqual(self.used(self.other, warns), 180 * PICO)

    def test_nothing(self) -> None:
        """What costs nothing fits, whatever is left; what it cost after all counts."""
        self.spend(self.one, 100 * PICO, 100 * PICO)
        self.spend(self.other, 0, 3 * PICO)
        self.tick()
        self.assertEqual(self.used(self.one), 103 * PICO)

    def test_lower_limit(self) -> None:
        """What was leased under a higher limit is not spent beyond a lower one."""
        self.spend(self.one, PICO, PICO)
        lower = evolve(BUDGET, limit=2 * PICO)
        self.assertIsInstance(self.reserve(self.one, 2 * PICO, rule=lower), Refusal)
        self.clock.advance(3)
        self.assertIsInstance(self.reserve(self.one, PICO, rule=lower), Taken)

    def test_windows(self) -> None:
        """It begins anew; what runs then counts in the new window."""
        held = self.reserve(self.one, 70 * PICO)
        assert isinstance(held, Taken)
        self.spend(self.one, 30 * PICO, 30 * PICO)
        self.clock.advance((BUDGET.span(self.clock.seconds())[1] or 0) - self.clock.seconds())
        self.assertEqual(self.used(self.one), 70 * PICO)
        self.spend(self.one, 30 * PICO, 10 * PICO)
        self.one.settle(held, [50 * PICO])
        self.tick()
        self.assertEqual([self.used(self.one), self.used(self.other)], [60 * PICO, 60 * PICO])

    def test_set_back(self) -> None:
        """A budget that was set back is another one."""
        self.spend(self.one, 100 * PICO, 100 * PICO)
        again = evolve(BUDGET, since=self.clock.seconds())
        again = Rule(again.kind, again.scope, again.limit, again.source, again.window, since=again.since)
        self.spend(self.other, 100 * PICO, 40 * PICO, rule=again)
        self.assertEqual(self.used(self.other, again), 40 * PICO)


class EndTests(Case):
    """Processes that end."""

    def test_stopped(self) -> None:
        """What it had leased is there for others at once, and nothing of it is left."""
        self.spend(self.one, 80 * PICO, 30 * PICO)
        self.successResultOf(self.one.stop())
        self.assertEqual(os.listdir(self.directory), [])
        self.spend(self.other, 70 * PICO, 70 * PICO)
        self.assertIsInstance(self.reserve(self.other, 1), Refusal)

    def die(self, budgets: LeasedBudgets) -> None:
        budgets._loop.stop()
        budgets._notes.close(remove=False)
        for each in budgets._budgets.values():
            each.account.cells, each.account.cell = [0], 0

    def test_killed(self) -> None:
        """What it had not reserved is free again soon; what it had counts as spent."""
        self.spend(self.one, 80 * PICO, 30 * PICO)
        self.reserve(self.one, 20 * PICO)
        self.die(self.one)
        self.assertIsInstance(self.reserve(self.other, 50 * PICO), Refusal)
        self.tick()
        self.assertEqual(self.used(self.other), 50 * PICO)
        self.assertEqual(os.listdir(self.directory), ["2" * 32 + ".leases"])
        self.spend(self.other, 50 * PICO, 50 * PICO)

    def test_of_another_database(self) -> None:
        """The file of a process that used another database stays for one that uses that."""
        other = LeaseFile(self.directory, "f" * 32)
        other.close(remove=False)
        self.tick()
        self.assertIn("f" * 32 + ".leases", os.listdir(self.directory))
        path = os.path.join(self.directory, "f" * 32 + ".leases")
        os.utime(path, (self.clock.seconds() - FOREIGN_FOR - 100,) * 2)
        self.process("3")
        self.assertNotIn("f" * 32 + ".leases", os.listdir(self.directory))

    def test_killed_and_started(self) -> None:
        """The next start finds it."""
        self.spend(self.one, 80 * PICO, 30 * PICO)
        self.successResultOf(self.other.stop())
        self.die(self.one)
        self.assertEqual(self.used(self.process("3")), 30 * PICO)

    def test_runs_for_long(self) -> None:
        """A request that has reserved nothing, and runs for longer than anything is remembered, counts all the same."""
        held = self.reserve(self.one, 0)
        assert isinstance(held, Taken)
        self.tick(40)
        self.one.settle(held, [3 * PICO])
        self.tick()
        self.assertEqual(self.used(self.other), 3 * PICO)

    def test_forgets(self) -> None:
        """What is not used any more is not kept in memory, and is as it was when it is used again."""
        for number in range(10):
            self.spend(self.one, PICO, PICO, rule=evolve_scope(f"user:p:{number}"))
        self.tick(35)
        self.assertEqual(len(self.one._budgets), 0)
        self.assertEqual(self.used(self.one, evolve_scope("user:p:3")), PICO)
        self.spend(self.one, 99 * PICO, 99 * PICO, rule=evolve_scope("user:p:3"))
        self.tick(35)
        self.assertEqual(self.used(self.other, evolve_scope("user:p:3")), 100 * PICO)


def evolve_scope(scope: str) -> Rule:
    """The same budget of somebody else."""
    return Rule("money", scope, BUDGET.limit, BUDGET.source, BUDGET.window)


class AwayTests(Case):
    """The database cannot be asked."""

    def rule(self, how: str) -> Rule:
        return Rule("money", f"token:{how}", BUDGET.limit, BUDGET.source, BUDGET.window, how)  # type: ignore[arg-type]

    def test_table(self) -> None:
        """What holds then; what was used is known when it is back."""
        for how, amount, admitted in (
            ("closed", 1, False),
            ("local", 60 * PICO, True),
            ("local", 61 * PICO, False),
            ("open", 99 * PICO, True),
        ):
            with row(f"{how} {amount}"):
                self.setUp()
                self.spend(self.one, 40 * PICO, 40 * PICO, rule=self.rule(how))
                self.tick()
                self.gates[0].broken = True
                outcome = self.reserve(self.one, amount, rule=self.rule(how))
                self.assertEqual(isinstance(outcome, Taken), admitted)
                self.gates[0].broken = False
                if isinstance(outcome, Refusal):
                    self.assertEqual(outcome.unavailable, how == "closed")
                    continue
                self.one.settle(outcome, [amount])
                self.tick()
                self.assertEqual(self.used(self.other, self.rule(how)), 40 * PICO + amount)
                self.assertEqual(self.one.failures, 1)

    def test_leased_is_spent(self) -> None:
        """What is leased can be spent all the while."""
        closed = self.rule("closed")
        self.spend(self.one, PICO, 0, rule=closed)
        self.gates[0].broken = True
        self.spend(self.one, PICO, PICO, rule=closed)
        outcome = self.reserve(self.one, 50 * PICO, rule=closed)
        assert isinstance(outcome, Refusal)
        self.assertTrue(outcome.unavailable)

    def test_waits_shortly(self) -> None:
        """One that does not answer is waited for so long, then not asked for a while; a late lease is good."""
        self.gates[0].closed = True
        waiting = self.one.reserve([Part(self.rule("closed"), PICO)])
        assert isinstance(waiting, Deferred)
        self.clock.advance(ANSWERS_WITHIN - 0.1)
        self.assertNoResult(waiting)
        self.clock.advance(0.2)
        self.assertTrue(self.successResultOf(waiting).unavailable)
        asked = self.gates[0].asked
        self.assertIsInstance(self.reserve(self.one, PICO, rule=self.rule("closed")), Refusal)
        self.assertEqual(self.gates[0].asked, asked)
        self.gates[0].open()
        self.clock.advance(AWAY_FOR)
        self.spend(self.one, PICO, PICO, rule=self.rule("closed"))
        self.tick()
        self.assertEqual(self.used(self.other, self.rule("closed")), PICO)

    def test_asked_together(self) -> None:
        """Those who come while it is asked are asked for with the next question, all at once."""
        self.spend(self.one, 1, 1)
        self.tick(3)
        before, self.gates[0].closed = self.gates[0].asked, True
        waiting = [self.one.reserve([Part(BUDGET, 10 * PICO)]) for _ in range(9)]
        self.gates[0].open()
        outcomes = [self.successResultOf(each) for each in waiting if isinstance(each, Deferred)]
        self.assertEqual([isinstance(each, Taken) for each in outcomes], [True] * 9)
        self.assertEqual(self.gates[0].asked - before, 2)

    def test_cannot_be_written(self) -> None:
        """What was spent is kept, and written when it can be; the file of a process that ends so stays."""
        self.spend(self.one, PICO, PICO)
        self.gates[0].broken = True
        self.tick()
        self.gates[0].broken = False
        self.tick()
        self.assertEqual(self.used(self.other), PICO)
        self.spend(self.one, PICO, PICO)
        self.gates[0].broken = True
        self.successResultOf(self.one.stop())
        self.assertEqual(len(os.listdir(self.directory)), 1)
        self.tick()
        self.assertEqual(os.listdir(self.directory), [])
        self.assertGreaterEqual(self.used(self.other), 2 * PICO)

    def test_no_directory(self) -> None:
        """Where nothing can be noted, leases are taken all the same; what a process had is not free again."""
        with open(self.directory, "wb"):
            pass
        self.spend(self.one, 30 * PICO, PICO)
        self.tick(1)
        self.assertIsInstance(self.reserve(self.other, 99 * PICO), Taken)
