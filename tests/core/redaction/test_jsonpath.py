"""Paths into JSON."""

from __future__ import annotations

import json
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.redaction.jsonpath import MOST_STEPS, json_path, without
from tests.tables import row

_DOCUMENT: dict[str, Any] = {
    "user": "u",
    "a b": [1, 2, 3],
    "messages": [{"role": "user", "content": "x"}, {"content": [{"text": "y"}, {"text": "z"}]}],
    "deep": {"name": "n", "list": [{"name": {"name": "m"}}]},
}


class PathTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What a path leads to is taken out, and nothing else."""
        for path, change in (
            ("$.user", {"user": "-"}),
            ("$['user']", {"user": "-"}),
            ('$["user"]', {"user": "-"}),
            ("$['a b'][0]", {"a b": ["-", 2, 3]}),
            ("$['a b'][-1]", {"a b": [1, 2, "-"]}),
            ("$['a b'][ 3 ]", {}),
            ("$['a b'][*]", {"a b": ["-", "-", "-"]}),
            ("$.messages[*].content", {"messages": [{"role": "user", "content": "-"}, {"content": "-"}]}),
            ("$.messages[0]", {"messages": ["-", _DOCUMENT["messages"][1]]}),
            ("$.messages.*.role", {"messages": [{"role": "-", "content": "x"}, _DOCUMENT["messages"][1]]}),
            ("$.messages", {"messages": "-"}),
            ("$..name", {"deep": {"name": "-", "list": [{"name": "-"}]}}),
            ("$.deep..name", {"deep": {"name": "-", "list": [{"name": "-"}]}}),
            ("$..list..name", {"deep": {"name": "n", "list": [{"name": "-"}]}}),
            ("$..text", {"messages": [{"role": "user", "content": "x"}, {"content": [{"text": "-"}, {"text": "-"}]}]}),
            ("$..list[0]", {"deep": {"name": "n", "list": ["-"]}}),
            ("$.nothing.here", {}),
            ("$.user.name", {}),
        ):
            with row(path):
                document: Any = json.loads(json.dumps(_DOCUMENT))
                self.assertEqual(without(document, json_path(path), "-"), {**_DOCUMENT, **change})

    def test_whole(self) -> None:
        """C{$} is all of it; C{$..*} is everything in it."""
        self.assertEqual(without({"a": 1}, json_path("$"), "-"), "-")
        self.assertEqual(without({"a": [1]}, json_path("$..*"), "-"), {"a": "-"})
        self.assertEqual(without("text", json_path("$.a"), "-"), "text")

    def test_wrong(self) -> None:
        """What cannot be read as a path is refused with what can be."""
        for text in (
            "user",
            "$user",
            "$.",
            "$..",
            "$.a[",
            "$.a[1:2]",
            "$.a[?(@.x)]",
            "$.a b",
            "$.a.",
            "$[a]",
            "$...a",
            "$.a[01x]",
            "$" + ".a" * (MOST_STEPS + 1),
        ):
            with row(text):
                self.assertRaises(ValueError, json_path, text)

    def test_bounded(self) -> None:
        """However often a path looks everywhere, no place is looked at twice."""
        document: Any = {}
        for _ in range(150):
            document = {"a": document, "b": [1] * 100}
        begun = time.perf_counter()
        without(document, json_path("$" + "..a" * 10 + "..c"), "-")
        self.assertLess(time.perf_counter() - begun, 5)
