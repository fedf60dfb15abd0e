"""
The arithmetic of leases of money: how a budget holds for machines that share a database, without asking it each time.

The database has two numbers of a budget in its window: what was spent, and what processes have leased of the rest. Both
together never exceed the budget by a lease: leasing is the only thing that raises their sum, and is refused beyond it.
A process reserves within what it has leased, in memory, and has the database know at intervals what it has spent and
what it still holds. It says both as they are, not how they have changed, so that saying it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from .verdicts import Left, Refusal

if TYPE_CHECKING:
    from .values import Rule
    from .verdicts import Part

NANO = 1000
"""A database has whole 10^-9 USD, so that a number of 64 bits holds 9 billion USD; it is rounded up."""

LARGEST = 2**63 - 1
"""In a cell."""

SHARE = 32
"""A lease takes at most this part of what is left, or what those who wait need."""

HELD_FOR = 0.25
"""Seconds for which what did not fit is refused without asking again, where others hold what they may hand back."""

SPENT_FOR = 2.0
"""Seconds, where nobody does."""


def lease_of(free: int, wanted: int, least: int) -> int:
    """
    How much to lease.

    @param free: what nobody has spent or leased.
    @param wanted: by all who wait.
    @param least: the smallest amount among them: less than that helps nobody.
    """
    return 0 if free < max(1, least) else min(free, max(wanted, free // SHARE))


@frozen
class Ask:
    """
    What a process says of one budget, and what it wants of it. Amounts are in 10^-9 USD.

    @ivar serial: of the lease; no other of the same process has it.
    @ivar turn: higher each time, so that what comes late changes nothing.
    @ivar holds: what it has leased and not spent.
    @ivar total: what it has spent in the window.
    @ivar limit: of which a lease is taken, if C{wanted} is any.
    """

    serial: int
    turn: int
    key: str
    begins_at: float
    ends_at: float | None
    holds: int
    total: int
    limit: int
    wanted: int = 0
    least: int = 0


@frozen
class Answer:
    """
    @ivar spent: by all of them, in the window.
    @ivar leased: by all of them, C{granted} included.
    @ivar granted: more than it had.
    @ivar warned: what had been spent when it was last looked for shares that were passed; who gets it looks.
    """

    spent: int
    leased: int
    granted: int
    warned: int


@frozen
class Standing:
    """What is known of a budget by those who only look."""

    spent: int
    leased: int


def _nowhere() -> MutableSequence[int]:
    return [0]


@define(slots=True, eq=False)
class Account:
    """
    What this process has of one budget in its present window, in 10^-12 USD. No I/O and no clock.

    @ivar rule: as it was last met.
    @ivar available: leased, and free for the next request.
    @ivar reserved: by requests that run, whenever they began.
    @ivar running: requests that have something of it, or nothing, and have not ended.
    @ivar total: spent here in the window.
    @ivar known: what the database said last; C{None} before.
    @ivar held, written: what the database has of C{holds} and C{total}, as far as that is known.
    @ivar used_at: when something was last reserved.
    @ivar largest: that was reserved at once since it was last looked.
    @ivar cells, cell: where what could be handed back is noted, so that it outlives the process.
    @ivar refused_until: until then what is not below C{too_much} is refused.
    """

    rule: Rule
    serial: int
    begin: float
    end: float | None
    available: int = 0
    reserved: int = 0
    running: int = 0
    total: int = 0
    turn: int = 0
    held: int = 0
    written: int = 0
    known: Answer | None = None
    used_at: float = 0.0
    largest: int = 0
    refused_until: float = 0.0
    too_much: int = 0
    cells: MutableSequence[int] = field(factory=_nowhere)
    cell: int = 0

    @property
    def holds(self) -> int:
        """What must be leased for it."""
        return self.available + self.reserved

    def fits(self, part: Part) -> bool:
        """Whether it can be taken at once; a budget that only warns can always be."""
        return part.amount <= self.available or not part.amount or part.rule.over_budget == "warn"

    def take(self, amount: int, now: float) -> None:
        """Reserve; what is not leased is owed, and leased in any case."""
        left = self.available - amount
        self.available = left = left if left > 0 else 0
        self.cells[self.cell] = left if left < LARGEST else LARGEST
        self.reserved += amount
        self.running += 1
        self.used_at = now
        if amount > self.largest:
            self.largest = amount

    def settle(self, amount: int, used: int) -> None:
        """What was reserved is over, and so much was spent; the rest can be reserved again."""
        self.running -= 1
        reserved = self.reserved - amount
        self.reserved = reserved if reserved > 0 else 0
        self.total += used
        left = self.available + amount - used
        self.available = left = left if left > 0 else 0
        self.cells[self.cell] = left if left < LARGEST else LARGEST
        self.refused_until = 0.0

    def note(self) -> None:
        """What could be handed back."""
        self.cells[self.cell] = min(self.available, LARGEST)

    def answered(self, ask: Ask, answer: Answer) -> None:
        """What the database said to C{ask}."""
        self.known = answer
        self.held, self.written = ask.holds + answer.granted, ask.total
        self.available += answer.granted * NANO
        self.note()

    def is_written(self) -> bool:
        """Whether the database has all of it."""
        return self.known is not None and (_up(self.holds), _up(self.total)) == (self.held, self.written)

    def is_idle(self) -> bool:
        """Whether it can be forgotten."""
        return not self.running and not self.holds and self.is_written()

    def trim(self, now: float, idle_after: float) -> None:
        """Hand back what is not needed: all of it where nobody asks, else what is beyond a new lease."""
        if now - self.used_at >= idle_after:
            self.available = 0
        elif self.known is not None:
            left = self.rule.limit - (self.known.spent + self.known.leased) * NANO + self.available
            self.available = min(self.available, max(left // SHARE, self.largest))
        self.largest = 0
        self.note()

    def roll(self, serial: int, now: float) -> None:
        """Another window has begun; what runs goes over into it."""
        self.begin, self.end = self.rule.span(now)
        self.serial, self.turn, self.known = serial, 0, None
        self.available = self.total = self.held = self.written = 0
        self.refused_until = 0.0

    def ask(self, key: str, wanted: int = 0, least: int = 0) -> Ask:
        """What the database is to know, and is asked for."""
        self.turn += 1
        holds, total, limit = _up(self.holds), _up(self.total), max(0, self.rule.limit) // NANO
        return Ask(
            self.serial,
            self.turn,
            key,
            self.begin,
            self.end,
            holds,
            total,
            limit,
            _up(wanted),
            _up(least) if least else 0,
        )

    @property
    def left(self) -> int:
        """What could be reserved here, as of what is known."""
        known = 0 if self.known is None else self.known.spent + self.known.leased
        return max(0, self.rule.limit - known * NANO + self.available)

    def refuse(self, amount: int, now: float) -> Refusal:
        """It was asked for, and there is none; remembered for a while."""
        known = self.known
        held_elsewhere = known is not None and known.leased > self.held
        if now >= self.refused_until or amount < self.too_much:
            self.too_much = amount
        self.refused_until = now + (HELD_FOR if held_elsewhere else SPENT_FOR)
        return self.refusal(amount, now)

    def is_refused(self, amount: int, now: float) -> bool:
        """Whether it is of no use to ask."""
        return amount > self.rule.limit or (now < self.refused_until and amount >= self.too_much)

    def refusal(self, amount: int, now: float) -> Refusal:
        waits = self.end is not None and amount <= self.rule.limit
        return Refusal(self.rule, self.left, self.end - now if waits and self.end is not None else None)

    def fits_alone(self, amount: int) -> bool:
        """Whether it would, by what this process has seen; where the database cannot be asked."""
        if self.known is None:
            return self.total + self.reserved + amount <= self.rule.limit
        # What was leased beyond what is known has been taken since.
        since = max(0, _up(self.holds) + _up(self.total) - self.held - self.written) * NANO
        return amount <= self.left - since


def left_of(account: Account, standing: Standing | None, now: float) -> Left:
    """What there is to see of a budget."""
    spent = 0 if standing is None else standing.spent * NANO
    used = max(0, spent - account.written * NANO) + account.total + account.reserved
    resets_in = account.end - now if account.end is not None and used else None
    return Left(account.rule, used, max(0, account.rule.limit - used), resets_in)


def _up(amount: int) -> int:
    return -(-amount // NANO)
