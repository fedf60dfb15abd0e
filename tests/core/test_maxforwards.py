"""Tests for L{llmproxy.core.maxforwards}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.maxforwards import hops_left, one_less
from llmproxy.errors import BadRequest

from ..tables import row


class HopsTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Digits are a number, however many there are."""
        for value, left in ((b"0", 0), (b"000", 0), (b"1", 1), (b"010", 10), (b"255", 255), (b"9" * 10_000, 256)):
            self.assertEqual(hops_left([(b"max-Forwards", value)]), left, (value, left))
        self.assertIsNone(hops_left([(b"Accept", b"0")]))

    def test_malformed(self) -> None:
        """What is none is refused: two hops could read it differently."""
        for lines in ([b"-1"], [b"+1"], [b""], [b"1.0"], [b"1, 0"], ["\u0661".encode()], [b"1", b"1"]):
            with row(lines):
                self.assertRaises(BadRequest, hops_left, [(b"Max-Forwards", value) for value in lines])

    def test_one_less(self) -> None:
        """The next hop reads a smaller number, in the same place."""
        fields = [(b"A", b"1"), (b"MAX-FORWARDS", b"5"), (b"B", b"2")]
        self.assertEqual(one_less(fields, 5), [(b"A", b"1"), (b"MAX-FORWARDS", b"4"), (b"B", b"2")])
        self.assertEqual(one_less(fields, 256)[1], (b"MAX-FORWARDS", b"255"))
