"""Commands of consumer groups as Redis reads them, and its replies."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.redis.streams import (
    Claimed,
    Entry,
    Pending,
    Reader,
    abandoned,
    about,
    add,
    claimed,
    count_pending,
    end,
    entries,
    entries_read,
    length,
    one,
    pending,
    position,
    unread,
)

from ..cache.fakeredis import parse
from ..tables import row

ME = Reader(b"s", b"g", b"me")


def words(data: bytes) -> list[bytes]:
    found, rest = parse(data)
    assert not rest
    return found


class CommandTests(SynchronousTestCase):
    def test_commands(self) -> None:
        """Each is what redis-cli would be asked for."""
        for data, expected in (
            (add(b"s", (b"data", b"{}"), 10), b"XADD s MAXLEN ~ 10 * data {}"),
            (add(b"s", (b"data", b"{}"), 0), b"XADD s * data {}"),
            (ME.create(), b"XGROUP CREATE s g 0 MKSTREAM"),
            (ME.read(7, 1.5), b"XREADGROUP GROUP g me COUNT 7 BLOCK 1500 STREAMS s >"),
            (ME.read(7, 0), b"XREADGROUP GROUP g me COUNT 7 BLOCK 1 STREAMS s >"),
            (ME.own(b"", 5), b"XPENDING s g - + 5 me"),
            (ME.own(b"1-1", 5), b"XPENDING s g (1-1 + 5 me"),
            (ME.take([b"1-1", b"1-2"]), b"XCLAIM s g me 0 1-1 1-2"),
            (ME.acknowledge([b"1-1", b"1-2"]), b"XACK s g 1-1 1-2"),
            (ME.waiting(), b"XPENDING s g"),
            (ME.groups(), b"XINFO GROUPS s"),
            (ME.consumers(), b"XINFO CONSUMERS s g"),
            (one(b"s", b"1-1"), b"XRANGE s 1-1 1-1"),
            (length(b"s"), b"XLEN s"),
            (about(b"s"), b"XINFO STREAM s"),
        ):
            with row(expected):
                self.assertEqual(words(data), expected.split(b" "))

    def test_scripts(self) -> None:
        """Scripts get the stream as their key, then group, consumer and what else they ask for."""
        for data, expected in (
            (ME.claim(1.5, b"0-0", 9), [b"1500", b"0-0", b"9"]),
            (ME.refresh([b"1-1", b"1-2"]), [b"1-1", b"1-2"]),
            (ME.give_back([Pending(b"1-1", 3)]), [b"86400000", b"1-1", b"3"]),
            (ME.leave(), []),
            (Reader(b"s", b"g", b"other").leave(b"me"), []),
        ):
            with row(data):
                found = words(data)
                self.assertEqual((found[0], found[2:6], found[6:]), (b"EVAL", [b"1", b"s", b"g", b"me"], expected))

    def test_never_waits_for_ever(self) -> None:
        """BLOCK 0 would be for ever, and a process that is to end would not."""
        self.assertEqual(words(ME.read(1, 0.0001))[7], b"1")


class ReplyTests(SynchronousTestCase):
    def test_entries(self) -> None:
        """What was trimmed has no fields; nothing in time is no entries."""
        self.assertEqual(entries_read(None), [])
        self.assertEqual(entries_read([[b"s", [[b"1-1", [b"data", b"x"]]]]]), [Entry(b"1-1", (b"data", b"x"))])
        self.assertEqual(entries([[b"1-1", None], None, [b"1-2", []]]), [Entry(b"1-1", None), Entry(b"1-2", ())])
        self.assertEqual(entries(None), [])

    def test_field(self) -> None:
        """The first field of a name, never a value that reads like one."""
        for fields, expected in (
            ((b"data", b"x"), b"x"),
            ((b"other", b"data", b"data", b"y"), b"y"),
            ((b"data", b"x", b"data", b"y"), b"x"),
            ((b"other", b"data"), None),
            ((b"data",), None),
            ((), None),
            (None, None),
        ):
            with row(fields):
                self.assertEqual(Entry(b"1-1", fields).get(b"data"), expected)

    def test_pending(self) -> None:
        """Ids, with how often each was delivered."""
        self.assertEqual(pending([[b"1-1", b"me", 12, 3]]), [Pending(b"1-1", 3)])
        self.assertEqual(pending([]), [])

    def test_claimed(self) -> None:
        """The cursor says whether there is more."""
        found = claimed([b"0-0", [[b"1-1", 2]], [b"1-0"]])
        self.assertEqual((found, found.is_last), (Claimed(b"0-0", (Pending(b"1-1", 2),), 1), True))
        self.assertFalse(claimed([b"1-5", [], []]).is_last)

    def test_counts(self) -> None:
        """What waits for a group; what it was not given, where Redis knows."""
        self.assertEqual((count_pending([0, None, None, None]), count_pending([7, b"1-1", b"1-9", []])), (0, 7))
        groups: list[list[Any]] = [[b"name", b"h", b"lag", 3], [b"name", b"g", b"entries-read", 1, b"lag", 5]]
        self.assertEqual((unread(groups, b"g"), unread(groups, b"none"), unread(None, b"g")), (5, None, None))
        self.assertIsNone(unread([[b"name", b"g", b"lag", None]], b"g"))
        self.assertEqual(position([[b"name", b"g", b"last-delivered-id", b"1-1"]], b"g"), b"1-1")
        self.assertIsNone(position(None, b"g"))
        self.assertEqual(abandoned(None), [])
        self.assertEqual(end([b"length", 1, b"last-generated-id", b"9-1"]), b"9-1")
        self.assertIsNone(unread([[b"name", b"g", b"pending", 1]], b"g"))
