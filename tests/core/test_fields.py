"""Tests for L{llmproxy.core.fields}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.fields import first, forwardable, list_members, values, without
from llmproxy.message import Field


def fields(*lines: bytes) -> list[Field]:
    pairs = [line.partition(b": ") for line in lines]
    return [(name, value) for name, _, value in pairs]


class ForwardableTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What ends here, and what goes on: RFC 9110 section 7.6.1."""
        for name, received, gone_on in (
            ("end-to-end fields stay as they are", [b"aCCEPT: x", b"A: 1", b"A: 2"], [b"aCCEPT: x", b"A: 1", b"A: 2"]),
            ("fields of the connection end", [b"Connection: close", b"A: 1"], [b"A: 1"]),
            ("so do those that it names", [b"X-Hop: 1", b"Connection: x-hop", b"A: 1"], [b"A: 1"]),
            ("in any of its lines", [b"Connection: x-a", b"X-A: 1", b"X-B: 2", b"connection: Keep-Alive, X-B"], []),
            ("empty members name nothing", [b"Connection: , ,", b"A: 1"], [b"A: 1"]),
            ("old and new hop-by-hop fields", [b"Keep-Alive: 5", b"TE: x", b"Upgrade: x", b"Proxy-Connection: x"], []),
            ("the proxy's own credentials", [b"Proxy-Authorization: x", b"Proxy-Authenticate: y"], []),
            ("transfer codings", [b"Transfer-Encoding: chunked", b"Trailer: X"], [b"Trailer: X"]),
        ):  # fmt: skip
            self.assertEqual(forwardable(fields(*received)), fields(*gone_on), name)

    def test_cannot_take_away(self) -> None:
        """C{Connection} cannot make upstream see another message: framing, host and the like stay."""
        kept = fields(b"Content-Length: 3", b"Host: x", b"Authorization: y", b"Content-Type: z", b"Cookie: c")
        names = b", ".join(name for name, _ in kept)
        self.assertEqual(forwardable([*kept, (b"Connection", names)]), kept)

    def test_does_not_change_what_came(self) -> None:
        """The list that came is nobody's to change."""
        received = fields(b"Connection: close", b"A: 1")
        forwardable(received)
        self.assertEqual(len(received), 2)


class LookingTests(SynchronousTestCase):
    SECTION = fields(b"A: 1", b"b: 2", b"a: 3")

    def test_first(self) -> None:
        """The first of several, whatever its case; C{None} for none."""
        self.assertEqual((first(self.SECTION, b"a"), first(self.SECTION, b"c")), (b"1", None))

    def test_values(self) -> None:
        """All of them, in order."""
        self.assertEqual(values(self.SECTION, b"a"), [b"1", b"3"])

    def test_without(self) -> None:
        """All but these."""
        self.assertEqual(without(self.SECTION, {b"a"}), fields(b"b: 2"))

    def test_list_members(self) -> None:
        """RFC 9110 section 5.6.1: members of all lines, empty ones left out, commas in quotes part nothing."""
        section = fields(b"L: a , B,,", b'l: "x, y", c', b'L: "q\\", r"')
        self.assertEqual(list_members(section, b"l"), [b"a", b"b", b'"x, y"', b"c", b'"q\\", r"'])
