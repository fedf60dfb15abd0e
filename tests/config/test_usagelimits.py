"""Values of C{usage_limits}; how they are read is in test_usagelimitschema.py."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.usagelimits import LimitRuleConfig, words_of
from llmproxy.usagelimits import UNLIMITED, UsageLimits


class WordTests(SynchronousTestCase):
    def test_rule(self) -> None:
        """A rule says for people what it limits, and of whom."""
        rule = LimitRuleConfig(api="openai", model="o3*", tpm_limit=5, tags={"team": "a"})
        self.assertEqual(rule.words(), "tpm_limit 5, per project (api openai, model o3*, tag team=a)")
        self.assertEqual(words_of(UNLIMITED), "")
        self.assertEqual(words_of(UsageLimits(rpm_limit=None, models=("a", "b"))), "rpm_limit none, models a b")
