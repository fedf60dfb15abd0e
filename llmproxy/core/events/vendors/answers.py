"""Answers that tell of each item of a batch: how many are delivered, and what comes of the first that is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

from ..receipts import PassingFailure, PermanentFailure, Receipt, receipt_of

NOT_UNDERSTOOD = "the answer is no JSON, or was cut short"

_LONGEST = 200


@frozen
class Judgement:
    """
    @ivar why: what was said of the first event that is not delivered; C{""} if all are.
    @ivar delivered: how many of the first events of the batch the receiver has.
    @ivar permanent: it never takes that first one.
    """

    why: str = ""
    delivered: int = 0
    permanent: bool = False

    def behind(self, delivered: int) -> Judgement:
        """The same of a part of a batch, so many of which were delivered before."""
        return evolve(self, delivered=self.delivered + delivered)

    def settle(self, receipt: Receipt) -> Receipt:
        """
        The receipt of a batch that was taken.

        @raise PermanentFailure: the first that is left is never taken.
        @raise PassingFailure: it may be.
        """
        if not self.why:
            return receipt
        failure = PermanentFailure if self.permanent else PassingFailure
        raise failure(self.why, delivered=self.delivered, receipt=receipt)


def judge_items(failed: Sequence[tuple[bool, str] | None]) -> Judgement:
    """@param failed: for each event C{None}, or whether its failure may pass, and what was said of it."""
    for at, each in enumerate(failed):
        if each is not None:
            passing, why = each
            return Judgement(why, at, not passing)
    return Judgement()


def reason(*words: Any) -> str:
    """What a receiver says of an item, bounded, masked, in one line."""
    text = ": ".join(str(word)[:_LONGEST] for word in words if word)
    return receipt_of(0, text.encode("utf-8", "replace")).text
