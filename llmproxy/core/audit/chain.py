"""
A chain of records: each carries the hash of the one before, so that none can be changed, taken out or moved
without breaking what follows.

A chain says nothing of what was cut off at its end: that is what an L{Anchor} is for, which is kept elsewhere.
Those who can write every place where chains and anchors are kept can write another history; L{verify.Report.heads} is
short enough to be kept where they cannot.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from attrs import define, frozen

from .encoding import decode, encode
from .record import AuditRecord

GENESIS = "0" * 64
"""What the first record of a chain has for the hash of the one before."""

LINKS = ("chain", "seq", "prev", "hash")


@frozen
class Linked:
    """
    A record in its place.

    @ivar chain: the chain's id.
    @ivar seq: its number in the chain, from 1.
    @ivar prev: the hash of the record before.
    @ivar hash: SHA-256 of everything else, as L{encode} writes it, in hexadecimal.
    """

    record: AuditRecord
    chain: str
    seq: int
    prev: str
    hash: str

    def line(self) -> bytes:
        """As it stands in a file, without the end of the line."""
        return encode(_linked(self.record, self.chain, self.seq, self.prev) | {"hash": self.hash})


@frozen
class Anchor:
    """How far a chain had come: the number of its records, and the hash of the last of them."""

    chain: str
    count: int
    head: str


@define
class Chain:
    """
    Where a chain has come to.

    @ivar count: how many records it has.
    @ivar head: the hash of the last.
    """

    id: str
    count: int = 0
    head: str = GENESIS

    def linked(self, records: Iterable[AuditRecord]) -> list[Linked]:
        """C{records} as they would follow; the chain itself stays where it is until L{moved}."""
        count, head, found = self.count, self.head, []
        for record in records:
            count += 1
            link = linked(record, self.id, count, head)
            head = link.hash
            found.append(link)
        return found

    def moved(self, to: Linked) -> None:
        """What was linked up to here is written."""
        self.count, self.head = to.seq, to.hash

    def anchor(self) -> Anchor:
        return Anchor(self.id, self.count, self.head)


def linked(record: AuditRecord, chain: str, seq: int, prev: str) -> Linked:
    return Linked(record, chain, seq, prev, sha256(encode(_linked(record, chain, seq, prev))).hexdigest())


def linked_of_line(data: bytes) -> Linked:
    """
    The record of a line. Whether its hash is right is for L{verify}.

    @raise ValueError: the line is not as L{Linked.line} writes one.
    """
    values = decode(data)
    try:
        links = {name: values.pop(name) for name in LINKS}
    except KeyError as error:
        raise ValueError(f"not a record: it has no {error.args[0]}") from None
    if not (isinstance(links["seq"], int) and all(isinstance(links[name], str) for name in ("chain", "prev", "hash"))):
        raise ValueError("not a record: its place is none")
    return Linked(AuditRecord.of_plain(values), **links)


def _linked(record: AuditRecord, chain: str, seq: int, prev: str) -> dict[str, Any]:
    return record.plain() | {"chain": chain, "seq": seq, "prev": prev}
