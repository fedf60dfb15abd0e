"""Values that are put together of parts."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging.parts import Indexed, Pieces, add, add_text, added, latest, settled
from tests.tables import row


def summed(*deltas: dict[str, Any]) -> Any:
    target: dict[str, Any] = {}
    for each in deltas:
        add(target, each)
    return settled(target)


class AddTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Texts and lists become longer, objects get members, what is said once stays, all else is replaced."""
        for deltas, expected in (
            ([{"a": "x"}, {"a": "y"}, {"a": "z"}], {"a": "xyz"}),
            ([{"a": ""}, {"a": "y"}], {"a": "y"}),
            ([{"a": None}, {"a": "y"}, {"a": None}], {"a": "y"}),
            ([{"id": "1"}, {"id": "1"}], {"id": "1"}),
            ([{"id": ""}, {"id": "1"}, {"id": None}], {"id": "1"}),
            ([{"name": "ab"}, {"name": "ab"}], {"name": "ab"}),
            ([{"name": "a"}, {"name": "b"}], {"name": "ab"}),
            ([{"n": 1}, {"n": 2}], {"n": 2}),
            ([{"a": {"b": "x"}}, {"a": {"b": "y", "c": 1}}], {"a": {"b": "xy", "c": 1}}),
            ([{"a": [1]}, {"a": [2]}], {"a": [1, 2]}),
            ([{"a": 1}, {"a": "x"}], {"a": "x"}),
            ([{"a": "x"}, {"a": {"b": 1}}], {"a": {"b": 1}}),
            ([{"a": [{"index": 1, "t": "b"}]}, {"a": [{"index": 0, "t": "a"}]}, {"a": [{"index": 1, "t": "B"}]}],
             {"a": [{"index": 0, "t": "a"}, {"index": 1, "t": "bB"}]}),
        ):  # fmt: skip
            with row(deltas):
                self.assertEqual(summed(*deltas), expected)

    def test_many_pieces(self) -> None:
        """A text of many pieces is joined once: a hundred thousand of them take no time."""
        target: dict[str, Any] = {}
        for _ in range(100_000):
            add_text(target, "a", "x")
        self.assertIsInstance(target["a"], Pieces)
        self.assertEqual(len(settled(target)["a"]), 100_000)


class ListTests(SynchronousTestCase):
    def test_others_among_indexed(self) -> None:
        """What has no index stands behind what has one."""
        kept = added(None, [{"index": 3, "t": "a"}])
        self.assertEqual(settled(added(kept, [{"t": "b"}])), [{"index": 3, "t": "a"}, {"t": "b"}])

    def test_indexed(self) -> None:
        """Gaps take no room, and an index that is none is the first."""
        indexed = Indexed.of([{"a": 1}])
        indexed.at(10**12)["b"] = 2
        indexed.at("x")["c"] = 3
        self.assertEqual(settled(indexed), [{"a": 1, "c": 3}, {"b": 2}])


class LatestTests(SynchronousTestCase):
    def test_table(self) -> None:
        """The last that says something holds; objects are looked into."""
        target: dict[str, Any] = {}
        deltas: list[dict[str, Any]] = [
            {"a": None, "u": {"x": 1, "y": 2}},
            {"a": 5, "u": {"x": None, "y": 3}},
            {"a": None, "b": []},
        ]
        for each in deltas:
            latest(target, each)
        self.assertEqual(target, {"a": 5, "u": {"x": 1, "y": 3}, "b": []})
