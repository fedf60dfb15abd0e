"""Lists of models."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.modellists import filtered, is_list

from ..tables import row

MINE = {"gpt-4o", "claude-x", "models/gemini-a", "gemini-b"}


def shown(content: Any) -> Any:
    return json.loads(filtered(json.dumps(content).encode(), MINE.__contains__))


class FilteredTests(SynchronousTestCase):
    def test_shapes(self) -> None:
        """What a caller may not use is taken out of each vendor's shape; all else stays."""
        for content, expected in (
            (
                {"object": "list", "data": [{"id": "gpt-4o", "created": 1}, {"id": "o3"}]},
                {"object": "list", "data": [{"id": "gpt-4o", "created": 1}]},
            ),
            (
                {
                    "data": [{"id": "opus"}, {"id": "claude-x"}],
                    "has_more": False,
                    "first_id": "opus",
                    "last_id": "claude-x",
                },
                {"data": [{"id": "claude-x"}], "has_more": False, "first_id": "claude-x", "last_id": "claude-x"},
            ),
            (
                {
                    "data": [{"id": "claude-x"}, {"id": "opus"}],
                    "has_more": True,
                    "first_id": "claude-x",
                    "last_id": "opus",
                },
                {"data": [{"id": "claude-x"}], "has_more": True, "first_id": "claude-x", "last_id": "opus"},
            ),
            (
                {"data": [{"id": "opus"}], "has_more": False, "first_id": "opus", "last_id": "opus"},
                {"data": [], "has_more": False, "first_id": None, "last_id": None},
            ),
            (
                {"models": [{"name": "models/gemini-a"}, {"name": "models/gemini-c"}], "nextPageToken": "t"},
                {"models": [{"name": "models/gemini-a"}], "nextPageToken": "t"},
            ),
            ([{"id": "gpt-4o"}, {"id": "o3"}, "gpt-4o", "o3", 5], [{"id": "gpt-4o"}, "gpt-4o"]),
            ({"data": [{"name": "gpt-4o"}, {"id": 5}, None]}, {"data": []}),
        ):
            with row(content):
                self.assertEqual(shown(content), expected)

    def test_same_bytes(self) -> None:
        """An entry that stays is the bytes that upstream sent."""
        content = b'{"data":[{"id": "gpt-4o", "n": 1.50, "s": "\\u00e9"} , {"id":"o3"}],"x" : 1e2}'
        self.assertEqual(
            filtered(content, MINE.__contains__), b'{"data":[{"id": "gpt-4o", "n": 1.50, "s": "\\u00e9"}],"x":1e2}'
        )

    def test_unknown(self) -> None:
        """What is no such list is none."""
        for content in (
            b"",
            b"{}",
            b"[",
            b"<html>",
            b'{"data":{}}',
            b'{"models":"x"}',
            b"5",
            b"\xff",
            b'{"data":[' * 5000,
        ):
            with row(content[:20]):
                self.assertRaises(ValueError, filtered, content, MINE.__contains__)

    @given(st.lists(st.sampled_from([*sorted(MINE), "o3", "opus", "x y", "GPT-4O"])))
    def test_nothing_else(self, names: list[str]) -> None:
        """Never a name that is not allowed, always each that is, in their order."""
        for name, member in (("data", "id"), ("models", "name")):
            with row(name):
                found = shown({name: [{member: each} for each in names]})[name]
                self.assertEqual([each[member] for each in found], [each for each in names if each in MINE])


class PathTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Every spelling that a server may take for a list of models is one; a single model is none."""
        for path, expected in (
            (b"/v1/models", True),
            (b"/v1/models/", True),
            (b"/v1beta/models", True),
            (b"/openai/v1/MODELS", True),
            (b"/v1/models;x", True),
            (b"/v1//models", True),
            (b"/models", True),
            (b"/v1/models/gpt-4o", False),
            (b"/v1/models-x", False),
            (b"/v1/chat/completions", False),
        ):
            with row(path):
                self.assertIs(is_list(path), expected)
