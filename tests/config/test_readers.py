"""Tests for L{llmproxy.config.readers}."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.readers import (
    count,
    failure_status,
    flush_interval,
    limit,
    none_for_zero,
    one_of,
    positive_duration,
    share,
    size,
    size_or_none,
)
from tests.tables import row

RIGHT: tuple[tuple[Callable[[str], Any], str, Any], ...] = (
    (limit, "0", None),
    (limit, "90s", 90.0),
    (flush_interval, "-1s", 1.0),
    (positive_duration, "250ms", 0.25),
    (count(1), "1", 1),
    (none_for_zero, "0", None),
    (none_for_zero, "7", 7),
    (failure_status, "529", 529),
    (size(64), "8KiB", 8192),
    (size_or_none, "0", None),
    (share, "0.2", 0.2),
    (one_of("a", "b"), "b", "b"),
)

WRONG: tuple[tuple[Callable[[str], Any], str], ...] = (
    (positive_duration, "0"),
    (count(1), "0"),
    (count(0), "-1"),
    (count(0), "1.0"),
    (count(0), "1234567890"),
    (failure_status, "200"),
    (failure_status, "5xx"),
    (size(64), "63"),
    (share, "1.1"),
    (share, "nan"),
    (share, "some"),
    (one_of("a", "b"), "c"),
)


class RuleTests(SynchronousTestCase):
    def test_right(self) -> None:
        """What a text means."""
        for rule, text, expected in RIGHT:
            with row(text):
                self.assertEqual(rule(text), expected)

    def test_wrong(self) -> None:
        """What it cannot be."""
        for rule, text in WRONG:
            with row(text):
                self.assertRaises(ValueError, rule, text)
