"""Tests for L{llmproxy.core.headmemory}: what is remembered of a head is what reading it again would give."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.headmemory import HeadMemory
from llmproxy.core.http11 import Head, Refusal, read_head
from llmproxy.core.notable import Known, Section, notable_of

TARGET, FIELDS = 200, 12
LINES = (
    b"Host: a",
    b"Authorization: Bearer sk-secret",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Expect: 100-continue",
    b"Transfer-Encoding: chunked",
    b"Upgrade: websocket",
    b"X-Request-ID: mine",
    b"X: Content-Length: 7",
    b"X: \tContent-Length: 7",
    b"Content-Length-X: 7",
)
NAMES = (
    b"Content-Length",
    b"content-length",
    b"content-LENGTH",
    b"CONTENT-LENGTH",
    b"Content-Length ",
    b"Content_Length",
)
SIGNS = (b": ", b":", b":  ", b":\t", b" : ")
VALUES = (
    b"0", b"5", b"05", b"00", b"+5", b"-5", b"0x5", b"5 ", b"5\t", b"", b" ", b"5,5", b"5, 5", b"5 5", b"1e3", b"\xb2",
    b"123456789012345", b"1234567890123456", b"18446744073709551615", b"18446744073709551616", b"9" * 40,
    b"5\r\nContent-Length: 5", b"5\r\nContent-Length: 6", b"5\r\ncontent-length: 5", b"5\r\n 5", b"5\n", b"\0", b"5\0",
    b"5\r\nTransfer-Encoding: chunked",
)  # fmt: skip


def a_head(*lines: bytes, start: bytes = b"POST /v1 HTTP/1.1") -> bytes:
    return b"\r\n".join([start, b"Host: a", *lines, b"", b""])


def a_memory(**options: Any) -> HeadMemory:
    return HeadMemory(TARGET, FIELDS, **{"stirred": lambda: None, **options})


def told(head: Head) -> tuple[Any, ...]:
    """All that a head says."""
    known = notable_of(head.fields)
    notable = (known.credentials, known.naming, known.attributing, known.override)
    return (
        head.method, head.target, head.version, head.length, head.keep_alive, head.expects, head.upgrade,
        list(head.fields), notable,
    )  # fmt: skip


def plain(data: bytes) -> Any:
    try:
        return told(read_head(data, TARGET, FIELDS))
    except Refusal as refusal:
        return refusal.status, refusal.code, refusal.detail


def remembered(memory: HeadMemory, data: bytes) -> Any:
    """What the memory reads; it keeps what it can."""
    try:
        head = memory.read(data)
    except Refusal as refusal:
        return refusal.status, refusal.code, refusal.detail
    known = known_of(head)
    if known is not None:
        known.keeper.keep()
    return told(head)


def known_of(head: Head) -> Known | None:
    return head.fields.known if type(head.fields) is Section else None


def kept(memory: HeadMemory, data: bytes) -> Known:
    """What is known of a head that has come as often as it takes to be kept."""
    for _ in range(3):
        remembered(memory, data)
    known = known_of(memory.read(data))
    assert known is not None
    return known


class SameTests(SynchronousTestCase):
    """Whatever came before: what comes out is what L{read_head} would have made of these bytes."""

    def test_lengths(self) -> None:
        """However a length is written, beside all other ways to write it, and beside none."""
        heads = [a_head()]
        for name, sign, value in product(NAMES, SIGNS, VALUES):
            heads += [a_head(name + sign + value), a_head(name + sign + value, b"X: y")]
        memory = a_memory(most=1 << 30)
        for _ in range(4):
            for data in heads:
                self.assertEqual(remembered(memory, data), plain(data), data)
        self.assertGreater(len(memory), 20)

    def test_digits_only(self) -> None:
        """Lengths as programs write them are one head, all else is its own."""
        memory = a_memory()
        for length in (0, 1, 7, 10, 999, 123456789012345):
            for name in (b"Content-Length", b"content-length"):
                data = a_head(b"%b: %d" % (name, length))
                self.assertEqual(remembered(memory, data), plain(data), data)
        self.assertEqual(len(memory), 2)
        for other in (b"Content-length: 5", b"Content-Length:5", b"Content-Length: 5 ", b"Content-Length: 05"):
            for _ in range(3):
                remembered(memory, a_head(other))
        self.assertEqual(len(memory), 4)

    def test_a_hole_is_no_head(self) -> None:
        """Bytes that are a remembered head without its digits are read, and refused, as what they are."""
        memory = a_memory()
        kept(memory, a_head(b"Content-Length: 5"))
        for value in (b"", b"\0", b" ", b"\r\n"):
            data = a_head(b"Content-Length: " + value)
            self.assertEqual(remembered(memory, data), plain(data), data)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([b"POST /v1 HTTP/1.1", b"GET * HTTP/1.1", b"PUT /a?b=Content-Length:%205 HTTP/1.0"]),
                st.lists(
                    st.sampled_from(LINES)
                    | st.sampled_from([b"".join(parts) for parts in product(NAMES, SIGNS, VALUES)])
                    | st.integers(0, 10**20).map(lambda length: b"Content-Length: %d" % length),
                    max_size=4,
                ),
                st.none() | st.tuples(st.integers(0, 300), st.binary(max_size=2)),
            ),
            max_size=6,
        )
    )  # fmt: skip
    def test_any(self, made: list[tuple[bytes, list[bytes], tuple[int, bytes] | None]]) -> None:
        """Random heads, changed at random, in any order, one after another and again."""
        memory = a_memory()
        heads = []
        for start, lines, change in made:
            data = a_head(*lines, start=start)
            if change is not None:
                at = change[0] % len(data)
                data = data[:at] + change[1] + data[at + 1 :]
            # What comes here ends where the first empty line ends.
            heads.append(data[: data.find(b"\r\n\r\n") + 4] if b"\r\n\r\n" in data else a_head())
        for data in heads * 4:
            self.assertEqual(remembered(memory, data), plain(data), data)


class KeptTests(SynchronousTestCase):
    """What is kept, and for how long."""

    def test_when(self) -> None:
        """Nothing is known of a head that came once; of the second one it is kept when its client may ask."""
        memory = a_memory()
        data = a_head()
        self.assertIsNone(known_of(memory.read(data)))
        known = known_of(memory.read(data))
        assert known is not None
        self.assertEqual(len(memory), 0)
        known.keeper.keep()
        known.keeper.keep()
        self.assertEqual(len(memory), 1)
        self.assertIs(known_of(memory.read(data)), known)

    def test_refused(self) -> None:
        """A head that is refused is refused each time, and never kept."""
        memory = a_memory()
        for _ in range(4):
            self.assertEqual(remembered(memory, a_head(b"Host: b"))[0], 400)
        self.assertEqual(len(memory), 0)

    def test_own(self) -> None:
        """Each request has a section of its own; who changes it changes no other, and nothing is known of it then."""
        memory = a_memory()
        kept(memory, a_head(b"Content-Length: 5"))
        head = memory.read(a_head(b"Content-Length: 6"))
        head.fields.append((b"X", b"y"))
        self.assertIsNone(known_of(head))
        self.assertIsNone(head.fields.notable)  # type: ignore[attr-defined]
        again = memory.read(a_head(b"Content-Length: 7"))
        self.assertEqual(again.fields, [(b"Host", b"a"), (b"Content-Length", b"7")])

    def test_age(self) -> None:
        """What was not used between two calls of C{age} is dropped; what was used stays."""
        stirred: list[None] = []
        memory = a_memory(stirred=lambda: stirred.append(None))
        for data in (a_head(), a_head(b"X: y")):
            kept(memory, data)
        self.assertTrue(memory.age())
        memory.read(a_head())
        self.assertTrue(memory.age())
        self.assertEqual(len(memory), 1)
        self.assertIsNotNone(known_of(memory.read(a_head())))
        self.assertTrue(memory.age())
        self.assertFalse(memory.age())
        self.assertEqual((len(memory), len(stirred)), (0, 1))
        kept(memory, a_head())
        self.assertEqual(len(stirred), 2)

    def test_forget(self) -> None:
        """All is forgotten at once, and nothing that was read before is kept afterwards."""
        memory = a_memory()
        known = kept(memory, a_head())
        pending = [memory.read(a_head(b"X: y")) for _ in range(2)][1]
        memory.forget()
        self.assertEqual(len(memory), 0)
        for late in (known, known_of(pending)):
            assert late is not None
            late.keeper.keep()
        self.assertEqual(len(memory), 0)
        self.assertIsNot(kept(memory, a_head()), known)

    def test_drop(self) -> None:
        """One head is forgotten, and not kept by a request that is still under way."""
        memory = a_memory()
        known = kept(memory, a_head())
        kept(memory, a_head(b"X: y"))
        known.keeper.drop()
        known.keeper.keep()
        self.assertEqual(len(memory), 1)

    def test_bounded(self) -> None:
        """However many there are, they take no more than may be taken, and do not drive out each other."""
        memory = a_memory(most=64 * 1024)
        first = kept(memory, a_head())
        for number in range(500):
            for _ in range(3):
                remembered(memory, a_head(b"X: %d" % number))
        self.assertLess(len(memory), 40)
        self.assertIn(first, [known_of(memory.read(a_head())) for _ in range(8)])
        memory.age()
        for number in range(500, 1000):
            for _ in range(3):
                remembered(memory, a_head(b"X: %d" % number))
        self.assertLess(len(memory), 80)
        self.assertIn(first, [known_of(memory.read(a_head())) for _ in range(8)])

    def test_facts_are_bounded(self) -> None:
        """So are the facts of one head, and of all."""
        for most in (1 << 30, 64 * 1024):
            memory = a_memory(most=most)
            known = kept(memory, a_head())
            for number in range(1000):
                known.remember(number, b"x", 1000)
            self.assertLess(len(known.facts), 64 if most > 1 << 20 else 32, most)

    def test_new_each_time(self) -> None:
        """Where heads are new each time, few of them are looked for; one that comes again is known after a while."""
        memory = a_memory()
        for number in range(1000):
            remembered(memory, a_head(b"X: %d" % number))
        self.assertLess(len(memory._once), 250)
        for _ in range(20):
            remembered(memory, a_head())
        self.assertIsNotNone(known_of(memory.read(a_head())))
        kept(memory, a_head(b"X: 1"))

    def test_long(self) -> None:
        """A head of more than 8 KiB is read each time."""
        memory = a_memory()
        for _ in range(4):
            self.assertIsNone(known_of(memory.read(a_head(b"X: " + b"x" * 9000))))

    def test_nothing_is_shown(self) -> None:
        """What is kept shows none of its bytes."""
        memory = a_memory()
        known = kept(memory, a_head(b"Authorization: Bearer sk-secret"))
        self.assertNotIn("secret", repr([memory, known, known.keeper]))
