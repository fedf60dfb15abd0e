"""Tests for L{llmproxy.core.glob}."""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.glob import any_of


class AnyOfTests(SynchronousTestCase):
    def test_table(self) -> None:
        """A pattern matches the whole value, and a star crosses slashes."""
        table: tuple[tuple[list[str], str, bool], ...] = (
            (["gpt-4o"], "gpt-4o", True),
            (["gpt-4o"], "gpt-4o-mini", False),
            (["gpt-4o"], "xgpt-4o", False),
            (["gpt-4o-*"], "gpt-4o-mini", True),
            (["gpt-4o-*"], "gpt-4o", False),
            (["org/model*"], "org/model/v2", True),
            (["*"], "a/b\nc", True),
            (["o?-mini"], "o4-mini", True),
            (["o?-mini"], "o-mini", False),
            (["v[0-9]"], "v5", True),
            (["v[0-9]"], "vx", False),
            (["v[!0-9]"], "v5", False),
            (["v[^0-9]"], "vx", True),
            (["a[b"], "a[b", True),
            (["a.c"], "abc", False),
            (["a", "b*"], "bcd", True),
            ([], "", False),
        )
        for patterns, value, expected in table:
            self.assertEqual(any_of(patterns).fullmatch(value) is not None, expected, (patterns, value))

    def test_no_backtracking(self) -> None:
        """A value made to be matched slowly does not keep the process busy."""
        started = time.thread_time()
        self.assertIsNone(any_of(["*a*a*a*a*a*b"]).fullmatch("a" * 1000))
        self.assertLess(time.thread_time() - started, 1.0)
