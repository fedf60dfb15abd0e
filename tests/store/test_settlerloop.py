"""Tests of the loop of a settler, without a process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import BytesIO

import msgspec
from sqlalchemy import select
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.entry import Entry
from llmproxy.errors import OutcomeUnknown, Unavailable
from llmproxy.store.engine import open_database
from llmproxy.store.schema import usage_records
from llmproxy.store.settlerloop import READY, Answer, framed, read, serve, settling
from llmproxy.store.threads import NoThreads

from ..tables import row
from ..usagereports import an_entry
from .databases import NOW, clock_at

encode = msgspec.msgpack.Encoder().encode


def answers(content: bytes) -> list[Answer]:
    source, found = BytesIO(content), []
    while (each := read(source)) is not None:
        found.append(msgspec.msgpack.decode(each, type=Answer))
    return found


def answered(batches: Sequence[bytes], settle: object) -> list[Answer]:
    """What it says to those, without that it is ready."""
    out = BytesIO()
    serve(BytesIO(b"".join(map(framed, batches))), out.write, settle)  # type: ignore[arg-type]
    first, *others = answers(out.getvalue())
    assert first == Answer(READY), first
    return others


class LoopTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """What arrives is the entry that was sent, with every field."""
        sent = [an_entry(number, NOW, user="é", metadata={"a": "b"}) for number in range(3)]
        seen: list[Entry] = []

        def settle(batch: Sequence[Entry]) -> int:
            seen.extend(batch)
            return len(batch)

        self.assertEqual(answered([encode(sent[:2]), encode(sent[2:])], settle), [Answer(count=2), Answer(count=1)])
        self.assertEqual(seen, sent)

    def test_problems(self) -> None:
        """Each failure is answered by its kind, and the next batch is taken."""
        for error, expected in (
            (Unavailable("away"), Answer("unavailable", "away")),
            (OutcomeUnknown("who knows"), Answer("unknown", "who knows")),
            (ValueError("x"), Answer("fault", "ValueError: x")),
        ):
            with row(error):
                left: list[Exception] = [error]

                def settle(batch: Sequence[Entry], left: list[Exception] = left) -> int:
                    if left:
                        raise left.pop()
                    return len(batch)

                self.assertEqual(answered([encode([]), encode([])], settle), [expected, Answer()])

    def test_nonsense(self) -> None:
        """A batch that is none is a fault, not the end."""
        found = answered([b"\xc1", encode([])], len)
        self.assertEqual(([each.problem for each in found], found[1].count), (["fault", ""], 0))

    def test_cut(self) -> None:
        """A message that is cut is the end of the input."""
        whole = framed(b"batch")
        for size in range(len(whole)):
            with row(size):
                self.assertIsNone(read(BytesIO(whole[:size])))
        self.assertEqual(read(BytesIO(whole)), b"batch")


class DatabaseTests(SynchronousTestCase):
    def test_settled(self) -> None:
        """Entries stand in a database that another has prepared, once each."""
        path = os.path.join(self.mktemp(), "llmproxy.db")
        os.makedirs(os.path.dirname(path))
        database = open_database(clock_at(), path, threads=NoThreads)
        self.successResultOf(database.start())
        self.addCleanup(database.close)
        settle, close = settling(path)
        batch = [an_entry(number, NOW) for number in range(5)]
        self.assertEqual([settle(batch[:3]), settle(batch)], [3, 2])
        close()
        query = select(usage_records.c.id)
        found = self.successResultOf(database.read(lambda connection: list(connection.scalars(query))))
        self.assertEqual(sorted(found), sorted(each.id for each in batch))

    def test_not_prepared(self) -> None:
        """A database that nobody has prepared is refused: the settler makes no tables."""
        path = os.path.join(self.mktemp(), "llmproxy.db")
        os.makedirs(os.path.dirname(path))
        self.assertRaises(Unavailable, settling, path)
