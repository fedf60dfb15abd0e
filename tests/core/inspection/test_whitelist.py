"""Tests for L{llmproxy.core.inspection.whitelist}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.whitelist import EACH, LONGEST_VALUE, Fields, ParamRule, Whitelist
from llmproxy.errors import BadRequest, ParamNotAllowed

from ...tables import row


class ParamRuleTests(SynchronousTestCase):
    def test_values(self) -> None:
        """A value must match one of the patterns whole."""
        rule = ParamRule.compile("model", ["gpt-4o", "o?", "org/*"])
        for value in ("gpt-4o", "o3", "org/a/b"):
            rule.check(value)
        for value in ("", "gpt-4o ", "o10", "evil\0org/x", "org/\0", "org/" + "x" * LONGEST_VALUE):
            with row(value):
                self.assertRaises(ParamNotAllowed, rule.check, value)

    def test_not_unicode(self) -> None:
        """Half of a surrogate pair is a fault of the request, wherever in the value it stands."""
        for patterns in (["gpt-4o"], ["*"], ["?"]):
            rule = ParamRule.compile("model", patterns)
            for value in ("\ud800", "x\udfff", "\ud800" * 5000):
                with row(patterns, value):
                    self.assertRaises(BadRequest, rule.check, value)

    def test_anything(self) -> None:
        """A star alone is any value, of any length."""
        ParamRule.compile("model", ["gpt-4o", "*"]).check("x\0" * LONGEST_VALUE)

    def test_words(self) -> None:
        """A long value is shown in part."""
        error = ParamRule.compile("model", ["a", "b"]).refusal("x" * 10_000)
        self.assertLess(len(error.message), 300)
        self.assertIn("Allowed patterns: [a b]", error.message)


class WhitelistTests(SynchronousTestCase):
    def test_empty(self) -> None:
        """Without rules nothing needs to be read."""
        self.assertFalse(Whitelist.compile({}))
        self.assertTrue(Whitelist.compile({"model": ["a"]}))

    def test_paths(self) -> None:
        """Rules are found step by step; only those of one name concern forms."""
        whitelist = Whitelist.compile({"model": ["a"], ("requests", EACH, "params", "model"): ["b"]})
        self.assertEqual([rule.shown for rule in whitelist.rules.values()], ["model", "requests[].params.model"])
        requests = whitelist.root.members["requests"]
        self.assertEqual(requests.each[0].members["params"].members["model"].rules[0].patterns, ("b",))
        self.assertEqual((requests.inner, whitelist.root.members["model"].inner), (True, False))
        self.assertEqual(list(whitelist.fields), ["model"])

    def test_same_after_folding(self) -> None:
        """Two rules whose names some reader takes for the same hold both."""
        whitelist = Whitelist.compile({"max_tokens": ["1"], "maxTokens": ["2"]})
        self.assertEqual(len(whitelist.root.members["maxtokens"].rules), 2)


class FieldsTests(SynchronousTestCase):
    def test_twice(self) -> None:
        """A name of a rule stands once, however it is spelled; a list and other names may repeat."""
        fields = Fields(Whitelist.compile({"model": ["a"], "include[]": ["x"]}))
        self.assertEqual(len(fields.rules("model")), 1)
        for name in ("model", "Model", "model[]"):
            with row(name):
                self.assertRaises(BadRequest, fields.rules, name)
        for name in ("include[]", "include[]", "other", "other"):
            fields.rules(name)
