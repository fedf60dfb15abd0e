"""Tests for L{llmproxy.core.attributing.said}."""

from __future__ import annotations

import gzip
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.attributing.said import (
    LONGEST,
    LONGEST_PARSED,
    MOST_PAIRS,
    NOTHING,
    Members,
    MembersReader,
    Said,
    hashed,
    members_in,
    said_in,
    shortened,
)
from tests.tables import row

UUID = "01234567-89ab-cdef-0123-456789abcdef"
HEX = "0123456789abcdef" * 4

BODIES: tuple[tuple[dict[str, Any], Said], ...] = (
    ({"model": "m", "user": "u-1"}, Said("m", "u-1")),
    ({"model": "m", "user": "u-1", "safety_identifier": "s-1"}, Said("m", "s-1")),
    ({"user": 17}, Said(user="17")),
    (
        {"metadata": {"team": "search", "n": 3, "b": True, "f": 0.5}},
        Said(metadata={"team": "search", "n": "3", "b": "true", "f": "0.5"}),
    ),
    ({"metadata": {"team": ["x"], "none": None, "empty": ""}}, NOTHING),
    ({"conversation": "conv_1"}, Said(session="conv_1")),
    ({"conversation": {"id": "conv_1"}}, Said(session="conv_1")),
    ({"labels": {"team": "x"}}, Said(metadata={"team": "x"})),
    ({"metadata": {"user_id": "u-1"}}, Said(user="u-1", metadata={"user_id": "u-1"})),
    (
        {"metadata": {"user_id": f"user_{HEX}_account_{UUID}_session_{UUID}"}},
        Said(user=f"user_{HEX}_account_{UUID}", session=UUID),
    ),
    ({"metadata": {"user_id": f"user_{HEX}_account__session_{UUID}"}}, Said(user=f"user_{HEX}_account_", session=UUID)),
    (
        {"metadata": {"user_id": json.dumps({"device_id": "d", "account_uuid": "a", "session_id": "s"})}},
        Said(user="a", session="s"),
    ),
    (
        {"metadata": {"user_id": json.dumps({"device_id": "d", "account_uuid": "", "session_id": "s"})}},
        Said(user="d", session="s"),
    ),
    ({"metadata": {"user_id": "{not json"}}, Said(user="{not json", metadata={"user_id": "{not json"})),
    ({"model": 5, "user": {"id": 1}, "metadata": "x", "labels": [1], "conversation": [2]}, NOTHING),
    ({"user": True, "safety_identifier": None}, NOTHING),
    ({"messages": [{"user": "no", "metadata": {"no": "no"}}]}, NOTHING),
)


class SaidTests(SynchronousTestCase):
    def test_bodies(self) -> None:
        """Each vendor's members, by a parse and by a scan of pieces, mean the same."""
        for body, expected in BODIES:
            content = json.dumps(body).encode()
            with row(body):
                members = members_in(content)
                self.assertEqual(members and said_in(members), expected)
                for step in (1, 7, len(content)):
                    self.assertEqual(self.scanned(content, step), expected)

    def scanned(self, content: bytes, step: int, *codings: bytes) -> Said:
        found: list[Said] = [NOTHING]
        reader = MembersReader(lambda members: found.append(said_in(members)), codings)
        for at in range(0, len(content), step):
            reader.feed(content[at : at + step])
        return found[-1]

    def test_coded(self) -> None:
        """In a coding, as Claude Code sends large bodies."""
        content = gzip.compress(json.dumps({"messages": ["x" * 5000], "user": "u-1"}).encode())
        self.assertEqual(self.scanned(content, 100, b"gzip").user, "u-1")

    def test_long(self) -> None:
        """What stands behind a long conversation is found, in pieces of any length."""
        content = json.dumps({"model": "m", "messages": ["x" * 200_000], "metadata": {"user_id": "u-1"}}).encode()
        for step in (1000, LONGEST_PARSED):
            self.assertEqual(self.scanned(content, step), Said("m", "u-1", metadata={"user_id": "u-1"}), step)

    def test_no_json(self) -> None:
        """What is no object says nothing."""
        for content in (b"", b"{", b"[1]", b"null", b"\xff\xfe", b"--form\r\n", b"[" * 5000):
            with row(content[:10]):
                self.assertIsNone(members_in(content))

    def test_bounds(self) -> None:
        """So many pairs are kept, with names of a length."""
        many = {"x" * 65: "too long", "a\nb": "no name", **{f"n{number}": "v" for number in range(MOST_PAIRS + 5)}}
        found = said_in(Members(metadata=many)).metadata
        self.assertEqual(found, {f"n{number}": "v" for number in range(MOST_PAIRS)})

    def test_shortened(self) -> None:
        """What is too long for a report, or does not print, stands there as its hash: two are never one."""
        self.assertEqual(shortened("u" * LONGEST), "u" * LONGEST)
        one, other = "u" * LONGEST + "1", "u" * LONGEST + "2"
        self.assertNotEqual(shortened(one), shortened(other))
        for text in (one, "a\x00b", "a\nb", "\ud800"):
            with row(text):
                self.assertEqual(shortened(text), hashed(text))
                self.assertRegex(shortened(text), r"^sha256:[0-9a-f]{32}$")

    @settings(deadline=None)
    @given(st.binary(max_size=300))
    def test_any_bytes(self, content: bytes) -> None:
        """Whatever bytes come, something is said or nothing, as texts."""
        members = members_in(content)
        said = NOTHING if members is None else said_in(members)
        self.assertTrue(all(isinstance(each, str) for each in (said.model, said.user, *said.metadata.values())))
