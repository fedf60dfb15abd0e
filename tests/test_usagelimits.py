"""What tokens and projects state, and what defaults add."""

from __future__ import annotations

from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.usagelimits import FIELDS, UNLIMITED, UNSET, UsageLimits

from .tables import row


class OverTests(SynchronousTestCase):
    def test_each_field(self) -> None:
        """A default holds where nothing is said; no limit, and any limit, stand above it."""
        for name, mine, default in (
            ("rpm_limit", 1, 2),
            ("tpm_limit", 0, 7),
            ("max_budget", Decimal("0.5"), Decimal(100)),
            ("budget_duration", "1d", "1mo"),
            ("hard_budget", False, True),
            ("models", (), ("gpt-5",)),
        ):
            with row(name):
                for said, expected in ((UNSET, default), (None, None), (mine, mine)):
                    found = UsageLimits(**{name: said}).over(UsageLimits(**{name: default}))
                    self.assertEqual(getattr(found, name), expected)

    def test_nothing(self) -> None:
        """Who states nothing has the defaults, and the other way round."""
        some = UsageLimits(rpm_limit=3)
        self.assertIs(UNLIMITED.over(some), some)
        self.assertIs(some.over(UNLIMITED), some)
        self.assertEqual(list(UsageLimits()), [UNSET] * len(FIELDS))
        self.assertFalse(UNSET)
        self.assertEqual(repr(UNSET), "UNSET")
