"""Rules as a configuration has them."""

from __future__ import annotations

import sys
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import RedactRule
from llmproxy.core.redaction import rules
from llmproxy.core.redaction.patterns import MARK
from llmproxy.core.redaction.rules import MISSING, TooSlow, expression_of, rule_of
from tests.tables import row


class RuleTests(SynchronousTestCase):
    def test_kinds(self) -> None:
        """What begins with C{$} is a path, other words are patterns, a mapping is an expression."""
        for value, kind, text in (
            ("$.user", "path", "$.user"),
            ("email", "pattern", "email"),
            ({"regex": "a+"}, "regex", "a+"),
            ({"regex": r"(?i)\bproject-(?=x)\w+"}, "regex", r"(?i)\bproject-(?=x)\w+"),
        ):
            with row(value):
                self.assertEqual(rule_of(value), RedactRule(kind, text))  # type: ignore[arg-type]

    def test_wrong(self) -> None:
        """What is none of these is refused, with what is not right."""
        for value, why in (
            ("e-mail", "'e-mail' is no pattern: the built-in ones are email, card,"),
            ("$user", "is no path"),
            ("", "is no pattern"),
            (5, "expected a path"),
            (["email"], "expected a path"),
            ({"regex": "("}, "is no expression"),
            ({"regex": ""}, "expected {regex: ...}"),
            ({"regex": 5}, "expected {regex: ...}"),
            ({"regex": "a", "path": "$"}, "expected {regex: ...}"),
            ({"regexp": "a"}, "expected {regex: ...}"),
            ({"regex": "a*"}, "finds nothing at all"),
            ({"regex": "a" * 1001}, "at most 1000 characters"),
            ("$." + "a" * 1001, "at most 1000 characters"),
        ):
            with row(value):
                self.assertIn(why, str(self.assertRaises(ValueError, rule_of, value)))

    def test_missing(self) -> None:
        """Without the package, an expression is refused with what to install."""
        rules._compiled.cache_clear()
        modules: Any = sys.modules
        self.addCleanup(modules.__setitem__, "regex", modules.get("regex"))
        modules["regex"] = None
        self.assertEqual(str(self.assertRaises(ValueError, rule_of, {"regex": "abc"})), MISSING)


class ExpressionTests(SynchronousTestCase):
    def _clean(self, expression: str, text: str, seconds: float = 1.0) -> str:
        rule: Any = rule_of({"regex": expression})
        return expression_of(rule)(text, seconds)

    def test_found(self) -> None:
        """What it finds is taken out; what it finds of nothing is not."""
        self.assertEqual(self._clean(r"P-\d+", "P-1 and P-22, P-"), f"{MARK} and {MARK}, P-")
        self.assertEqual(self._clean(r"(?=a)|b", "ab"), f"a{MARK}")

    def test_catastrophic(self) -> None:
        """One that would not end within years ends in its time."""
        begun = time.perf_counter()
        self.assertRaises(TooSlow, self._clean, r"(a|aa)+$", "a" * 10_000 + "b", 0.2)
        self.assertLess(time.perf_counter() - begun, 5)

    def test_no_time(self) -> None:
        """Without time nothing is begun."""
        self.assertRaises(TooSlow, self._clean, "a", "a", 0.0)
