"""
The arithmetic of leases: how a quota is spent exactly without asking the database for every use.

A worker leases a few uses of a token, spends them in memory, and writes down what it spent. The
database holds two numbers of a token, C{request_count} (written down) and C{leased} (handed out,
not yet accounted for). Their sum never exceeds C{max_requests}: leasing is the only thing that
raises it, writing a use down moves it from one to the other, and a worker that dies leaves its
lease in C{leased} for ever. So a crash can lose a lease, and never exceeds the quota.
"""

from __future__ import annotations

from attrs import define, frozen

from ..errors import ProxyError, RateLimitExceeded

MAX_LEASE = 128
"""Uses. One transaction for this many requests: at 10,000 requests a second of one token, 80 a second."""

SHARE = 32
"""
A lease takes at most this part of what is left, so leases are single uses when fewer than 64 are left.

32 workers could each hold one and nobody would be refused while another sits on what it wants.
"""


def lease_size(remaining: int, wanted: int, max_lease: int = MAX_LEASE) -> int:
    """
    How many uses to lease.

    @param remaining: what nobody has spent or leased.
    @param wanted: how many requests are waiting for one; these are spent at once, so they may
        take more than a share.
    """
    return max(0, min(remaining, max_lease, max(wanted, remaining // SHARE, 1)))


@frozen
class Grant:
    """
    What the database answers when it is asked for a lease.

    @ivar size: how many uses; 0 is none.
    @ivar refusal: what those who wait are refused with then.
    @ivar held_elsewhere: others hold uses that they may yet hand back.
    """

    size: int
    refusal: type[ProxyError] = RateLimitExceeded
    held_elsewhere: bool = False


@frozen
class Settlement:
    """
    What is to be written down of one token.

    @ivar used: to be added to C{request_count}; negative where uses were given back after they had
        been written down.
    @ivar released: to be taken from C{leased}: the leased uses that were spent or are handed back.
    @ivar last_used_at: seconds since the epoch, C{None} if it was not used.
    @ivar upto: the sequence of the ledger (L{llmproxy.core.ledger.uses}) up to which it has all uses; 0 without one.
    """

    token_id: str
    used: int
    released: int
    last_used_at: float | None
    upto: int = 0


@define(slots=True, eq=False)
class Account:
    """
    What this process holds and owes of one token. No I/O, no clock.

    @ivar available: leased and not spent.
    @ivar used: spent (or given back) and not written down.
    @ivar released: no longer held of what is leased, and not written down.
    """

    token_id: str
    available: int = 0
    used: int = 0
    released: int = 0
    last_used_at: float | None = None

    def spend(self, now: float) -> bool:
        """Take a leased use; C{False} if none is left."""
        if self.available <= 0:
            return False
        self.available -= 1
        self.released += 1
        self.used += 1
        self.last_used_at = now
        return True

    def count(self, now: float) -> None:
        """Note a use of a token that has no limit."""
        self.used += 1
        self.last_used_at = now

    def unspend(self) -> None:
        """Put back a leased use. It does not matter whether it has been written down meanwhile."""
        self.available += 1
        self.released -= 1
        self.used -= 1

    def uncount(self) -> None:
        """Take back a use of a token that has no limit."""
        self.used -= 1

    def drop_lease(self) -> None:
        """Give up what is leased and not spent; the next settlement hands it back."""
        self.released += self.available
        self.available = 0

    def is_settled(self) -> bool:
        """Whether there is nothing to write down."""
        return self.used == 0 and self.released == 0

    def settle(self, upto: int = 0) -> Settlement:
        """
        Take what is to be written down out of the account; L{restore} if that fails.

        @param upto: see L{Settlement}.
        """
        taken = Settlement(self.token_id, self.used, self.released, self.last_used_at if self.used else None, upto)
        self.used = self.released = 0
        return taken

    def restore(self, settlement: Settlement) -> None:
        """Put back what could not be written down."""
        self.used += settlement.used
        self.released += settlement.released
