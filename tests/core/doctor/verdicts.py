"""Verdicts in tables: what each row of facts comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.doctor.findings import Finding

from ...tables import row

Row = tuple[Any, list[tuple[str, str]]]
"""Facts, and the level of each finding with a part of what it says."""


class VerdictTestCase(SynchronousTestCase):
    def judged(self, judge: Callable[[Any], Iterable[Finding]], table: Iterable[Row]) -> None:
        """Each row comes to findings of these levels, in this order, and what is to be mended says how."""
        for facts, expected in table:
            with row(facts):
                found = list(judge(facts))
                self.assertEqual([each.level for each in found], [level for level, _ in expected], found)
                for each, (_, words) in zip(found, expected, strict=True):
                    self.assertIn(words, each.says)
                    if each.level in ("warning", "fault"):
                        self.assertTrue(each.mend, each)
