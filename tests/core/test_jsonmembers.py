"""Tests for L{llmproxy.core.jsonmembers}."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.jsonmembers import LONGEST_KEPT, JsonMembers, tree_of
from tests.test_cost import Calls

TREE = tree_of(["a", "b.a", "b.c.d"])

_NAMES = st.sampled_from(["a", "b", "c", "d", "", 'a"', "a\\", "\u00e9", "\u00e9" * 40])
_LETTER = re.compile(rb"[a-d]")
_VALUES: Any = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(['"a":1', "}{", "\\", "[,"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


def scan(*pieces: bytes) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    members = JsonMembers(TREE, lambda path, written: found.append((path, json.loads(written))))
    for piece in pieces:
        members.feed(piece)
    return found


def expected(document: dict[str, Any], node: dict[bytes, Any] = TREE, outer: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in document.items():
        wanted = node.get(name.encode(), False)
        if wanted is None:
            found.append((outer + name, value))
        elif wanted and isinstance(value, dict):
            found += expected(value, wanted, outer + name + ".")
    return found


class JsonMembersTests(SynchronousTestCase):
    @given(st.dictionaries(_NAMES, _VALUES, max_size=5), st.integers(0, 200), st.booleans(), st.booleans())
    def test_differential(self, document: dict[str, Any], at: int, spaced: bool, ascii_only: bool) -> None:
        """It finds what a parser finds, wherever the bytes are cut."""
        separators = (" , ", " :\t") if spaced else (",", ":")
        body = json.dumps(document, separators=separators, ensure_ascii=ascii_only).encode()
        self.assertEqual(scan(body), expected(document))
        self.assertEqual(scan(body[:at], body[at:]), expected(document))
        self.assertEqual(scan(*(body[at : at + 1] for at in range(len(body)))), expected(document))

    def test_escaped_names(self) -> None:
        """Names are found however they are written, wherever they are cut."""
        plain = b'{"c":{"a":9},"a":1,"b":{"d":"a","a":[2],"c":{"d":3}}}'
        body = _LETTER.sub(lambda letter: b"\\u%04x" % ord(letter[0]), plain)
        wanted = [("a", 1), ("b.a", [2]), ("b.c.d", 3)]
        for at in range(len(body)):
            self.assertEqual(scan(body[:at], body[at:]), wanted, at)
        self.assertEqual(
            scan(b'{"\\u0061\\u0000":1,"\\\\u0061":2,"\\ud800":3,"\\x":4,"%b":5,"a":6}' % (b"\\u0061" * 300)),
            [("a", 6)],
        )

    def test_documents(self) -> None:
        """Several behind each other, on lines, or in an array."""
        for body in (b'{"a":1}{"a":2}', b'{"a":1}\n{"a":2}\n', b'[{"a":1},\n{"a":2}]'):
            self.assertEqual(scan(body), [("a", 1), ("a", 2)], body)

    def test_long(self) -> None:
        """What is longer than the bound is left out, and what follows is found."""
        text = b"x" * (LONGEST_KEPT + 1)
        self.assertEqual(scan(b'{"a":"' + text, b'","b":{"a":2}}'), [("b.a", 2)])
        self.assertEqual(scan(b'{"%b":1,"a":2}' % text), [("a", 2)])

    def test_dense(self) -> None:
        """What vendors answer is read to its end, however long and however dense, in pieces of any size."""
        embedding = b'{"embedding":[0.1,-2e-3,[]],"index":1},' * 20_000
        probabilities = b'{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[{"bytes":[98,99]}]},' * 5000
        line = (
            b'{"model":"l","created_at":"2023-08-04T08:52:19.3854Z","message":{"content":"\\n","a":1},"done":false}\n'
        )
        lines = line * 5000
        for body in (
            b'{"data":[' + embedding + b"{}],",
            b'{"data":{"content":[' + probabilities + b"0]},",
            lines + b"{",
            b'{"text":"' + b'\\n\\"' * 50_000 + b'",',
        ):
            for size in (1 << 16, 1000, 7):
                pieces = [body[at : at + size] for at in range(0, len(body), size)]
                self.assertEqual(scan(*pieces, b'"a":[1]}'), [("a", [1])], (body[:30], size))

    def test_hostile(self) -> None:
        """What would take too long is given up within a bounded number of steps, and nothing of it is found."""
        for piece in (
            b'"":"",',
            b'"":[],',
            b'"":{"":1},',
            b",:",
            b'"":' + b"[" * 33 + b"]" * 33 + b",",
            b'"":[' + b"[]" * 33 + b"],",
            b'"a":1,',
            rb'"\u0061":1,',
            rb'"\u0061":"",',
        ):
            found: list[str] = []
            members = JsonMembers(TREE, lambda path, written: found.append(path))
            with Calls() as calls:
                members.feed(b"{" + piece * (65_536 // len(piece)))
            self.assertTrue(members.is_given_up, piece)
            self.assertLess(calls.count, 40_000, piece)
            told = len(found)
            members.reset()
            members.feed(b'{"a":1}')
            self.assertEqual(len(found), told, piece)

    def test_reset(self) -> None:
        """What was open is given up."""
        found: list[str] = []
        members = JsonMembers(TREE, lambda path, written: found.append(path))
        for piece in (b'{"a":[{"', b'{"b":{', b'{"a":1,'):
            members.feed(piece)
            members.reset()
        members.feed(b'{"b":{"a":1}}')
        self.assertEqual(found, ["a", "b.a"])

    def test_malformed(self) -> None:
        """Nothing breaks it."""
        for body in (b"}}}}", b"]]", b'{"a"}', b'{]}{"', b"{{{{", b"{:::,,,}", b"\xff{\xfe}", b"{}}{"):
            self.assertEqual(scan(body), [], body)
