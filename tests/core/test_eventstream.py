"""Tests for L{llmproxy.core.eventstream}."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.eventstream import LONGEST, Events, Lines


class Scanned:
    """A scan that notes what it is fed."""

    def __init__(self) -> None:
        self.fed = b""
        self.resets = 0

    def feed(self, data: bytes) -> None:
        self.fed += data

    def reset(self) -> None:
        self.resets += 1


class Reading:
    """
    @ivar taken: the documents that were of interest.
    """

    def __init__(self, kind: type[Lines], eager: int = 0) -> None:
        self.taken: list[bytes] = []
        self.scan = Scanned()
        self._eager = eager
        self.lines = kind(re.compile(b"want").search, re.compile(b"last").search, self._take, self.scan)

    def _take(self, document: bytes) -> bool:
        self.taken.append(document)
        return len(self.taken) < self._eager

    def feed(self, *pieces: bytes) -> list[bytes]:
        for piece in pieces:
            self.lines.feed(piece)
        self.lines.end()
        return self.taken


_LINES = st.sampled_from([b"data: a", b"data:want 1", b"data: want", b"event: x", b": want", b"id: 1", b"", b"", b""])


class EventsTests(SynchronousTestCase):
    @given(st.lists(_LINES, max_size=20), st.sampled_from([b"\n", b"\r\n", b"\r"]), st.lists(st.integers(0, 200)))
    def test_cut_anywhere(self, lines: list[bytes], end: bytes, cuts: list[int]) -> None:
        """The data of the events that are wanted, whatever the ends of lines and wherever the bytes are cut."""
        stream = end.join(lines) + end
        events = re.split(b"\n\n+", b"\n".join(lines).strip(b"\n"))
        data = [b"\n".join(re.findall(b"^data:(.*)", event, re.MULTILINE)) for event in events]
        wanted = [one for one, event in zip(data, events, strict=True) if one and b"want" in event]
        at = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
        pieces = [stream[one:other] for one, other in pairwise(at)]
        taken = Reading(Events).feed(*pieces)
        # The first is taken whatever is in it.
        number = next((number for number, one in enumerate(data) if one), 0)
        first = [] if not data or b"want" in events[number] else [one for one in data[number : number + 1] if one]
        self.assertEqual(taken, [*first, *wanted])

    def test_passed_over(self) -> None:
        """Of what is not wanted nothing is held."""
        reading = Reading(Events)
        for _ in range(3):
            reading.lines.feed(b"data: a\n\n")
            self.assertEqual(reading.lines._held, b"")
        self.assertEqual(reading.taken, [b" a"])

    def test_latest(self) -> None:
        """Of many the first and the last few are taken, wherever the bytes are cut, and whatever ends the lines."""
        for end in (b"\n", b"\r\n", b"\r"):
            stream = b"".join(b"data: want %d%bid: %d%b" % (each, end, each, end * 2) for each in range(30))
            expected = [b" want %d" % each for each in (*range(8), *range(26, 30))]
            for size in (len(stream) // 30, 1, 7, 100, 1000, len(stream)):
                pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
                self.assertEqual(Reading(Events).feed(*pieces), expected, (end, size))
            events = re.findall(b".*?" + end * 2, stream, re.DOTALL)
            self.assertEqual(Reading(Events).feed(*events), expected, end)
        lines = [b"want %d\n" % each for each in range(30)]
        expected = [b"want %d" % each for each in (*range(8), *range(26, 30))]
        self.assertEqual(Reading(Lines).feed(*lines), expected)
        self.assertEqual(Reading(Lines).feed(b"".join(lines)), expected)

    def test_last_few(self) -> None:
        """What is of interest only at the end is found among the last few, however they came."""
        for end in (b"\n", b"\r\n", b"\r"):
            names = [*([b"last"] * 6), *([b"a"] * 20), b"last 1", b"want", b"last 2", b"a"]
            stream = b"".join(b"data:%b%b" % (name, end * 2) for name in names)
            for size in (len(stream), 1, 7, 100):
                pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
                self.assertEqual(Reading(Events).feed(*pieces), [b"last", b"want", b"last 1", b"last 2"], (end, size))
            events = re.findall(b".*?" + end * 2, stream, re.DOTALL)
            self.assertEqual(Reading(Events).feed(*events), [b"last", b"want", b"last 1", b"last 2"], end)

    def test_eager(self) -> None:
        """So many at the beginning are taken as are asked for."""
        self.assertEqual(
            Reading(Events, 3).feed(b"data:1\n\n", b": \n\ndata:2\n\ndata:3\n\n", b"data:4\n\n"), [b"1", b"2", b"3"]
        )

    def test_long(self) -> None:
        """A long one is passed on as it comes, and what follows is found."""
        long = b"data:" + b"x" * LONGEST
        for pieces in ([long, b"yz\n", b"\ndata:want\n\n"], [long + b"y", b"z\n\ndata:want\n\n"]):
            reading = Reading(Events)
            self.assertEqual(reading.feed(b"data:1\n\n", *pieces), [b"1", b"want"], pieces[1:])
            self.assertTrue(reading.scan.fed.startswith(long + b"yz"), pieces[1:])
            self.assertEqual((reading.scan.resets, len(reading.lines._held) < 9), (1, True), pieces[1:])

    def test_last(self) -> None:
        """The last event and what came behind it; of a long one the beginning and the end."""
        reading = Reading(Events)
        for piece, last in (
            (b"data:1\r\n\r\n", b"data:1"),
            (b"data:2\n\ndata:3\n\n", b"data:3"),
            (b"data:4", b"data:3data:4"),
            (b"\n\n", b"data:4"),
        ):
            reading.lines.feed(piece)
            self.assertEqual(reading.lines.last(), last, piece)
        reading.lines.feed(b"data:<" + b"x" * 3 * LONGEST + b">\n\n")
        last = reading.lines.last()
        self.assertEqual((last[:6], last[-1:]), (b"data:<", b">"))
        self.assertLess(len(last), 5000)


class LinesTests(SynchronousTestCase):
    def test_lines(self) -> None:
        """One document a line; the last one needs no end."""
        for pieces in ([b"1\nwant 2\r\n\n3\n\x1ewant 4"], [b"1\n", b"want", b" 2\r", b"\n\n3\n\x1ew", b"ant 4"]):
            self.assertEqual(Reading(Lines).feed(*pieces), [b"1", b"want 2", b"want 4"], pieces)
