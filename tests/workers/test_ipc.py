"""Tests for L{llmproxy.workers.ipc}."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.workers.ipc import Control, message, packed, unpacked

from ..properties import examples


class ControlTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.gone: list[bool] = []
        self.control = Control(lambda kind, values: self.heard.append((kind, values)), lambda: self.gone.append(True))

    def test_messages(self) -> None:
        """A message arrives as its kind and the rest of it."""
        self.control.dataReceived(message("changed", what="token", which="t-1") + message("stop"))
        self.assertEqual(self.heard, [("changed", {"what": "token", "which": "t-1"}), ("stop", {})])

    def test_gone(self) -> None:
        """The end of the pipe is told."""
        self.control.connectionLost()
        self.assertEqual(self.gone, [True])

    @settings(max_examples=examples(40), deadline=None)
    @given(st.lists(st.integers(1, 60), max_size=6))
    def test_any_split(self, cuts: list[int]) -> None:
        """However a pipe cuts them, the same messages arrive."""
        self.heard.clear()
        whole = message("a", text="one\ntwo") + message("b", number=7)
        for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(whole)], strict=True):
            self.control.dataReceived(whole[begin:end])
        self.assertEqual(self.heard, [("a", {"text": "one\ntwo"}), ("b", {"number": 7})])


class PackedTests(SynchronousTestCase):
    def test_there_and_back(self) -> None:
        """Values of ours travel as text."""
        value = {"fds": (4, 5), "key": b"\x00\xff"}
        self.assertEqual(unpacked(packed(value)), value)
