"""Receipts of deliveries: a receiver's answer, and the failures that say whether trying again makes sense."""

from __future__ import annotations

from attrs import frozen

from ..masking import mask

SHOWN = 200
"""Characters of a receiver's answer that are shown to operators."""

CONTENT_REFUSED = frozenset({400, 413, 415, 422})
"""
Statuses by which a receiver says that it never takes this very content. All others may pass: a key that is wrong (401,
403) or an address (404) is put right by somebody, and until then nothing is thrown away.
"""


@frozen
class Receipt:
    """
    What a receiver has answered; C{llmproxy sinks test} shows it.

    @ivar status: the HTTP status; 0 where there is none.
    @ivar text: masked, at most L{SHOWN} characters; C{""} for nothing.
    """

    status: int = 0
    text: str = ""

    def __str__(self) -> str:
        return " ".join(str(each) for each in (self.status, self.text) if each)


def receipt_of(status: int, body: bytes) -> Receipt:
    """Of an answer: the beginning of its text, masked, in one line."""
    # Cut after it is masked: half a secret has no shape.
    text = mask(body[: 16 * SHOWN].decode("utf-8", "replace"))
    line = "".join(each if each.isprintable() else " " for each in text)
    return Receipt(status, line[:SHOWN])


class DeliveryFailure(Exception):
    """
    A batch was not taken, or not all of it.

    @param why: a sentence for operators, without a secret.
    @ivar delivered: how many of the first events of the batch the receiver has all the same.
    @ivar receipt: what it said.
    """

    def __init__(self, why: str, *, delivered: int = 0, receipt: Receipt | None = None) -> None:
        super().__init__(why)
        self.delivered = delivered
        self.receipt = receipt


class PassingFailure(DeliveryFailure):
    """
    It may be taken later. Any other exception that is no L{PermanentFailure} means the same.

    @ivar retry_after: seconds, at least, until it is tried again; C{None} where the receiver says nothing.
    """

    def __init__(
        self, why: str, *, retry_after: float | None = None, delivered: int = 0, receipt: Receipt | None = None
    ) -> None:
        super().__init__(why, delivered=delivered, receipt=receipt)
        self.retry_after = retry_after


class PermanentFailure(DeliveryFailure):
    """
    The receiver never takes what is in this batch. Where that is more than one event, smaller batches find out which
    ones; those end in the dead letters.
    """


def failure_of(status: int, body: bytes, retry_after: float | None = None, delivered: int = 0) -> DeliveryFailure:
    """The failure that an answer of HTTP means, which is not 2xx."""
    receipt = receipt_of(status, body)
    if status in CONTENT_REFUSED:
        return PermanentFailure(f"answered {receipt}", delivered=delivered, receipt=receipt)
    return PassingFailure(f"answered {receipt}", retry_after=retry_after, delivered=delivered, receipt=receipt)
