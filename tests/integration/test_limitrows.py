"""Rows of limits that several processes change at once, on each kind of database."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import Any

from attrs import evolve
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.leasing import Account, Answer
from llmproxy.core.limits.values import PICO, Rule
from llmproxy.core.limits.verdicts import Part
from llmproxy.errors import Unavailable
from llmproxy.message import Project, Token
from llmproxy.store.budgets import BudgetLeases
from llmproxy.usagelimits import UsageLimits

from ..store.databases import NOW, clock_at, project, token
from .databases import KINDS, new_database, opened_at

BUDGET = Rule("money", "token:t", 40 * PICO, "max_budget of t", "1d")


class MergedLimitsTests(SynchronousTestCase):
    """Limits of one row, of which each process changes others."""

    ROUNDS = 6
    FIELDS = ("rpm_limit", "tpm_limit", "max_parallel_requests")

    def test_merged(self) -> None:
        """None takes back what another one has changed, of a token or of a project, and what nobody changed stays."""
        for kind in KINDS:
            url = new_database(self, kind)
            databases = [opened_at(self, url) for _ in self.FIELDS]
            limits = UsageLimits(max_budget=Decimal("1.5"))
            self.successResultOf(databases[0].projects.create(evolve(project("p1", api_keys={}), limits=limits)))
            self.successResultOf(databases[0].tokens.create(evolve(token("t1"), limits=limits)))

            def change(at: int, databases: Any = databases) -> list[Any]:
                made: list[Any] = []
                for number in range(self.ROUNDS):
                    said = {self.FIELDS[at]: None if number == 3 else number + at * 100}
                    for store, which in ((databases[at].projects, "p1"), (databases[at].tokens, "t1")):
                        update = partial(store.update, which)
                        made.append(patiently(lambda said=said: said, lambda said, do=update: do(limits=said))[1])
                return made

            with ThreadPoolExecutor(len(self.FIELDS)) as threads:
                made = [each for one in threads.map(change, range(len(self.FIELDS))) for each in one]
            self.assertEqual([each for each in made if not isinstance(each, (Project, Token))], [], kind)
            expected = evolve(limits, **{name: self.ROUNDS - 1 + at * 100 for at, name in enumerate(self.FIELDS)})
            for store, which in ((databases[0].projects, "p1"), (databases[0].tokens, "t1")):
                self.assertEqual(self.successResultOf(store.get(which)).limits, expected, (kind, which))


class LeasingTests(SynchronousTestCase):
    """A budget that several processes lease at once."""

    PROCESSES = 4

    def test_never_passed(self) -> None:
        """Together they have no more of it than there is, and in the end the database knows what was spent."""
        for kind in KINDS:
            url = new_database(self, kind)
            databases = [opened_at(self, url) for _ in range(self.PROCESSES)]
            leases = [BudgetLeases(clock_at(), each, f"{at:032x}") for at, each in enumerate(databases)]
            accounts = [Account(BUDGET, 1, *BUDGET.span(NOW)) for _ in leases]
            self.successResultOf(leases[0].begin(accounts[0].ask("k"), PICO))

            def spend(at: int, leases: Any = leases, accounts: Any = accounts) -> None:
                chance, account = random.Random(at), accounts[at]
                for _ in range(40):
                    amount = chance.randrange(PICO, 2 * PICO)
                    if not account.fits(Part(BUDGET, amount)):
                        say(leases[at], account, amount)
                    if account.fits(Part(BUDGET, amount)):
                        account.take(amount, NOW)
                        account.settle(amount, chance.randrange(amount + 1))

            with ThreadPoolExecutor(self.PROCESSES) as threads:
                list(threads.map(spend, range(self.PROCESSES)))
            held = sum(each.holds + each.total for each in accounts)
            self.assertLessEqual(held + PICO, BUDGET.limit, kind)
            self.assertGreater(sum(each.total for each in accounts), BUDGET.limit // 2, kind)
            for lease, account in zip(leases, accounts, strict=True):
                account.available = 0
                say(lease, account, 0)
            [standing] = self.successResultOf(leases[0].standing([("k", accounts[0].begin)]))
            spent = 10**9 + sum(-(-each.total // 1000) for each in accounts)
            self.assertEqual((standing.spent, standing.leased), (spent, 0), kind)


def say(leases: BudgetLeases, account: Account, wanted: int) -> None:
    """Lease more, and have it known what was spent."""
    more = max(0, wanted - account.available)
    ask, answer = patiently(lambda: account.ask("k", more, more), lambda ask: leases.say([ask]))
    assert isinstance(answer[0], Answer), answer
    account.answered(ask, answer[0])


def patiently(make: Callable[[], Any], call: Callable[[Any], Any]) -> tuple[Any, Any]:
    """What was made, and what came of it: again, as a caller would, where the machine is busy and SQLite locked."""
    for _ in range(20):
        found: list[Any] = []
        made = make()
        call(made).addBoth(found.append)
        if not (isinstance(found[0], Failure) and found[0].check(Unavailable)):
            break
    return made, found[0]
