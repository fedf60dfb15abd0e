"""Tests of the replay of what a process has written."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.ledger.entry import Entry
from llmproxy.core.ledger.frames import BEGUN, ENDED, HEADER, LEASED, RETURNED, SPENT, USED, Change
from llmproxy.core.ledger.replay import Replay, ended_in, entry_id, sequence_of
from llmproxy.core.ledger.uses import Use, owed

WRITER = "0123456789abcdef0123456789abcdef"
encode = msgspec.msgpack.encode


def begun(sequence: int, kind: int = USED, *, counted: bool = True) -> tuple[int, bytes]:
    return BEGUN | kind, encode(Entry(entry_id(WRITER, sequence), 5.0, token_id="t", counted=counted))


def ended(sequence: int) -> tuple[int, bytes]:
    return ENDED, encode(Entry(entry_id(WRITER, sequence), 5.0, 6.0, token_id="t", ending="complete"))


class ReplayTests(SynchronousTestCase):
    def test_ids(self) -> None:
        """An id is 128 bit in hexadecimal, and has the sequence in it."""
        made = entry_id(WRITER, 2**40)
        self.assertEqual((len(made), sequence_of(made)), (32, 2**40))
        self.assertNotEqual(entry_id(WRITER, 1), entry_id(WRITER[::-1], 1))

    def test_ended_and_open(self) -> None:
        """What has begun and not ended is left, as it would be kept if its process had died: interrupted."""
        replay = Replay()
        self.assertEqual(
            [each.id for each in replay.feed([(HEADER, b"x"), begun(1), begun(2), ended(1)])], [ended_id(1)]
        )
        self.assertEqual([(each.id, each.ending) for each in replay.open.values()], [(ended_id(2), "interrupted")])

    def test_begun_twice(self) -> None:
        """One that goes on in the next file took one use."""
        replay = Replay()
        replay.feed([begun(1, USED | LEASED), begun(1, USED | LEASED)])
        self.assertEqual(replay.uses.of("t"), [Use(1, 1, True)])
        self.assertEqual(len(replay.open), 1)

    def test_returned(self) -> None:
        """One that was given its use back is not counted, and nothing is owed for it."""
        replay = Replay()
        back = (RETURNED | USED, encode(Change(ended_id(1), 2, "t")))
        replay.feed([begun(1), back])
        self.assertEqual([each.counted for each in replay.open.values()], [False])
        self.assertEqual([(each.used, each.upto) for each in owed(replay.uses, {}, ["t"])], [(0, 2)])

    def test_spent_again(self) -> None:
        """One that was sent after that, once more, is counted once."""
        replay = Replay()
        back, again = (
            (kind | USED, encode(Change(ended_id(1), number, "t"))) for kind, number in ((RETURNED, 2), (SPENT, 3))
        )
        replay.feed([begun(1), back, again])
        self.assertEqual([each.counted for each in replay.open.values()], [True])
        self.assertEqual([each.used for each in owed(replay.uses, {}, ["t"])], [1])
        self.assertEqual([each.used for each in owed(replay.uses, {"t": 2}, ["t"])], [1])

    def test_without_a_use(self) -> None:
        """A token that nobody counts has no uses."""
        replay = Replay()
        replay.feed([begun(1, 0)])
        self.assertEqual(replay.uses.tokens(), [])

    @given(st.lists(st.integers(1, 6), max_size=12), st.integers(0, 12))
    def test_any_order(self, sequences: list[int], cut: int) -> None:
        """Wherever it is cut, each exchange is one: either it has ended, or it is open."""
        written: list[tuple[int, bytes]] = []
        running: set[int] = set()
        for sequence in sequences:
            written.append(ended(sequence) if sequence in running else begun(sequence))
            running ^= {sequence}
        replay = Replay()
        done = replay.feed(written[:cut]) + replay.feed(written[cut:])
        self.assertEqual({sequence_of(each) for each in replay.open}, running)
        self.assertEqual([each.id for each in done], [each.id for each in ended_in(written)])


def ended_id(sequence: int) -> str:
    return entry_id(WRITER, sequence)
