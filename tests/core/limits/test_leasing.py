"""Tests of L{llmproxy.core.limits.leasing}."""

from __future__ import annotations

import random

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.leasing import HELD_FOR, NANO, SPENT_FOR, Account, Answer, Ask, lease_of
from llmproxy.core.limits.values import PICO, Rule
from llmproxy.core.limits.verdicts import Part

from ...tables import row

BUDGET = Rule("money", "token:t", 100 * PICO, "max_budget of the token 'ci'", "1d")
NOW = 1_700_000_000.0


class LeaseTests(SynchronousTestCase):
    def test_table(self) -> None:
        """A share of what is left, or what is wanted; never more than there is, and nothing that helps nobody."""
        for free, wanted, least, expected in (
            (3200, 5, 5, 100),
            (3200, 500, 5, 500),
            (20, 500, 5, 20),
            (20, 500, 21, 0),
            (0, 5, 5, 0),
            (-3, 5, 5, 0),
            (10, 1, 0, 1),
            (0, 0, 0, 0),
        ):
            with row(f"{free} {wanted} {least}"):
                self.assertEqual(lease_of(free, wanted, least), expected)


class AccountTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.account = Account(BUDGET, 7, *BUDGET.span(NOW))

    def lease(self, amount: int) -> None:
        ask = self.account.ask("k", amount, amount)
        self.account.answered(ask, Answer(ask.total, ask.holds + amount // NANO, amount // NANO, 0))

    def test_spends(self) -> None:
        """What is leased is reserved, spent, and in part free again; what the database is to know follows."""
        self.lease(10 * PICO)
        self.assertTrue(self.account.fits(Part(BUDGET, 10 * PICO)))
        self.account.take(6 * PICO, NOW)
        self.assertFalse(self.account.fits(Part(BUDGET, 5 * PICO)))
        self.account.settle(6 * PICO, PICO)
        self.assertEqual((self.account.available, self.account.reserved, self.account.total), (9 * PICO, 0, PICO))
        ask = self.account.ask("k")
        self.assertEqual((ask.holds, ask.total, ask.turn), (9 * 10**9, 10**9, 2))

    def test_more_than_reserved(self) -> None:
        """An answer that costs more is paid out of what is leased, and beyond it by nobody."""
        self.lease(10 * PICO)
        self.account.take(6 * PICO, NOW)
        self.account.settle(6 * PICO, 9 * PICO)
        self.assertEqual((self.account.available, self.account.total), (PICO, 9 * PICO))
        self.account.take(PICO, NOW)
        self.account.settle(PICO, 5 * PICO)
        self.assertEqual((self.account.available, self.account.total), (0, 14 * PICO))

    def test_owed(self) -> None:
        """What is taken without a lease is to be leased in any case."""
        self.account.take(3 * PICO, NOW)
        self.assertEqual((self.account.ask("k").holds, self.account.available), (3 * 10**9, 0))
        self.assertFalse(self.account.is_written())

    def test_rounded_up(self) -> None:
        """The database knows of no less than there is."""
        self.account.take(1, NOW)
        ask = self.account.ask("k", 1, 1)
        self.assertEqual((ask.holds, ask.wanted, ask.least), (1, 1, 1))
        self.account.settle(1, 1)
        self.assertEqual((self.account.ask("k").holds, self.account.ask("k").total), (0, 1))

    def test_windows(self) -> None:
        """In another window nothing was spent; what runs is held in it."""
        self.lease(10 * PICO)
        self.account.take(6 * PICO, NOW)
        self.account.roll(8, NOW + 86_400)
        self.assertEqual((self.account.available, self.account.total, self.account.holds), (0, 0, 6 * PICO))
        self.assertEqual((self.account.serial, self.account.begin), (8, BUDGET.span(NOW + 86_400)[0]))
        self.account.settle(6 * PICO, 5 * PICO)
        self.assertEqual(self.account.total, 5 * PICO)

    def test_trimmed(self) -> None:
        """What nobody asked for is handed back; of what is asked for, what a new lease would have."""
        self.lease(32 * PICO)
        self.account.take(PICO, NOW)
        self.account.trim(NOW + 1, 2.0)
        self.assertEqual(self.account.available, (68 + 31) * PICO // 32)
        self.account.trim(NOW + 2, 2.0)
        self.assertEqual(self.account.available, 0)

    def test_refusals(self) -> None:
        """What was refused is not asked for again for a while; longer where nobody may hand anything back."""
        for leased, seconds in ((50 * 10**9, HELD_FOR), (0, SPENT_FOR)):
            with row(f"{leased}"):
                account = Account(BUDGET, 7, *BUDGET.span(NOW), known=Answer(100 * 10**9 - leased, leased, 0, 0))
                refusal = account.refuse(5 * PICO, NOW)
                self.assertEqual((refusal.left, refusal.resets_in), (0, (account.end or 0) - NOW))
                self.assertTrue(account.is_refused(5 * PICO, NOW + seconds - 0.01))
                self.assertFalse(account.is_refused(5 * PICO, NOW + seconds))
                self.assertFalse(account.is_refused(4 * PICO, NOW))
                self.assertTrue(account.is_refused(101 * PICO, NOW + 100))
                self.assertIsNone(account.refusal(101 * PICO, NOW).resets_in)

    def test_alone(self) -> None:
        """Without the database a process goes by what it knows, and by what it has taken since."""
        total = evolve(BUDGET, limit=10 * PICO)
        account = Account(total, 7, *total.span(NOW))
        self.assertTrue(account.fits_alone(10 * PICO))
        account.take(6 * PICO, NOW)
        self.assertFalse(account.fits_alone(5 * PICO))
        ask = account.ask("k")
        account.answered(ask, Answer(0, 6 * 10**9 + 10**9, 0, 0))
        self.assertTrue(account.fits_alone(3 * PICO))
        account.take(2 * PICO, NOW)
        self.assertFalse(account.fits_alone(2 * PICO))
        account.settle(2 * PICO, 2 * PICO)
        self.assertTrue(account.fits_alone(PICO))
        self.assertFalse(account.fits_alone(2 * PICO))


class ManyTests(SynchronousTestCase):
    """Several processes on one budget, whatever they do and in whatever order."""

    def test_never_passed(self) -> None:
        """Together they reserve no more than the budget; at rest all that was not spent is there again."""
        for seed in range(30):
            with row(f"seed {seed}"):
                self.play(random.Random(seed))

    def play(self, draw: random.Random) -> None:
        spent = leased = 0
        limit = BUDGET.limit // NANO
        said: dict[int, tuple[int, int]] = {}
        accounts = [Account(BUDGET, number, *BUDGET.span(NOW)) for number in range(4)]
        running: list[tuple[Account, int]] = []

        def say(account: Account, ask: Ask) -> None:
            nonlocal spent, leased
            size, total = said.get(account.serial, (0, 0))
            spent += ask.total - total
            leased += ask.holds - size
            granted = lease_of(limit - spent - leased, ask.wanted, ask.least) if ask.wanted else 0
            leased += granted
            said[account.serial] = (ask.holds + granted, ask.total)
            account.answered(ask, Answer(spent, leased, granted, spent))

        for _ in range(400):
            account = draw.choice(accounts)
            amount = draw.randrange(1, 3 * PICO)
            if draw.random() < 0.5:
                if not account.fits(Part(BUDGET, amount)):
                    say(account, account.ask("k", amount - account.available, amount - account.available))
                if account.fits(Part(BUDGET, amount)):
                    account.take(amount, NOW)
                    running.append((account, amount))
            elif running:
                account, amount = running.pop(draw.randrange(len(running)))
                account.settle(amount, draw.randrange(amount + 1))
            else:
                account.trim(NOW + draw.choice((0, 10)), 2.0)
            real = sum(each.total for each in accounts) + sum(each.holds for each in accounts)
            self.assertLessEqual(real, BUDGET.limit)
        for account, amount in running:
            account.settle(amount, 0)
        for account in accounts:
            account.available = 0
            say(account, account.ask("k"))
            self.assertTrue(account.is_idle(), account)
        self.assertEqual(leased, 0)
        self.assertEqual(spent, sum(-(-each.total // NANO) for each in accounts))
