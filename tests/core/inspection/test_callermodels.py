"""Rules of the model of tokens and projects."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.callermodels import CallerRule
from llmproxy.core.inspection.whitelist import EveryRule, ParamRule
from llmproxy.errors import ParamNotAllowed
from llmproxy.limiterrors import NotPermitted
from llmproxy.providers.registry import PLACES

from ...tables import row


class RuleTests(SynchronousTestCase):
    def test_names(self) -> None:
        """A name is allowed with what vendors write before it, too; a refusal names the list and whose it is."""
        rule = CallerRule.of("the token 'ci'", ("gpt-4o*", "gemini-2.5-pro"), PLACES)
        for name in ("gpt-4o", "gpt-4o-mini", "models/gemini-2.5-pro"):
            with row(name):
                rule.check(name)
        error = self.assertRaises(NotPermitted, rule.check, "o3")
        self.assertEqual((error.status, error.code), (403, "model_not_allowed"))
        self.assertEqual(error.description, "'o3' is not among models of the token 'ci': gpt-4o* gemini-2.5-pro")
        self.assertLess(len(rule.refusal("x" * 5000).description), 300)
        many = CallerRule.of("the token 'ci'", [f"m{number}" for number in range(100)], PLACES)
        self.assertTrue(many.refusal("o3").description.endswith(" m8 m9 and 90 more"))

    def test_every(self) -> None:
        """Of several rules all hold; the first that does not allow a value says so."""
        api = ParamRule.compile("model", ["gpt-*"])
        mine = CallerRule.of("the token 'ci'", ("*-mini", "o3"), PLACES)
        both = EveryRule.both(api, mine)
        both.check("gpt-5-mini")
        self.assertTrue(both.allows("gpt-5-mini"))
        for name, kind in (("gpt-5", NotPermitted), ("o3", ParamNotAllowed), ("o4", ParamNotAllowed)):
            with row(name):
                self.assertRaises(kind, both.check, name)
                self.assertFalse(both.allows(name))
                self.assertIsInstance(both.refusal(name), kind)
        anything = ParamRule.compile("model", ["*"])
        self.assertIs(EveryRule.both(anything, mine), mine)
        self.assertIs(EveryRule.both(mine, anything), mine)
