"""Tests for L{llmproxy.core.nesting}."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.nesting import passed_over

_VALUES: Any = st.recursive(
    st.integers() | st.sampled_from(["", "]", "\\", '"}', "\\\\", "x" * 700, '[{"', "\n" * 40]),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.sampled_from(["a", "[", '"', "\\"]), inner),
    max_leaves=60,
)


def stepped(data: bytes, at: int, depth: int, end: int) -> tuple[int, bool, int]:
    """The depth at C{end}, whether that is in a text, and the least depth until then, found byte by byte."""
    in_text = escaped = False
    least = depth
    for byte in data[at:end]:
        if in_text:
            in_text = escaped or byte != ord('"')
            escaped = not escaped and byte == ord("\\")
        elif byte == ord('"'):
            in_text = True
        elif byte in b"[{":
            depth += 1
        elif byte in b"]}":
            depth -= 1
            least = min(least, depth)
    return depth, in_text, least


class PassedOverTests(SynchronousTestCase):
    @given(st.lists(_VALUES, max_size=8), st.integers(1, 4), st.integers(0, 3000))
    def test_differential(self, values: list[Any], depth: int, cut: int) -> None:
        """It stops where the value has not ended, and knows how deep that is and whether in a text."""
        data = (json.dumps(values) + "]" * depth).encode()
        data = data[: max(1, len(data) - cut)]
        at, now, in_text = passed_over(data, 0, depth)
        self.assertEqual((now, in_text), stepped(data, 0, depth, at)[:2])
        self.assertGreater(stepped(data, 0, depth, at)[2], 0)

    def test_all(self) -> None:
        """What cannot hold an end is passed over in one go, whatever is in its texts."""
        for piece in (b"[[],{}],", b"[", b"1,", b'["]",{"}":"\\"]"}],', b'"\\\\",[[[[]]]],'):
            data = piece * 3000
            data = data[: len(data) - len(data) % len(piece)]
            at, depth = 0, 1
            while at < len(data):
                at, depth, in_text = passed_over(data, at, depth)
                self.assertTrue(in_text or at == len(data), piece)
                while in_text:
                    at, in_text = at + 1 + (data[at] == ord("\\")), data[at] != ord('"')

    def test_end(self) -> None:
        """Where the value may end it stops before the block."""
        self.assertEqual(passed_over(b"[]" * 2000 + b"]", 0, 1), (3072, 1, False))
        self.assertEqual(passed_over(b"]", 0, 1), (0, 1, False))
        self.assertEqual(passed_over(b"]", 0, 2), (1, 1, False))
        self.assertEqual(passed_over(b'"\\', 0, 1), (1, 1, True))
