"""Tests for L{llmproxy.core.people.grants}."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.people.grants import Grant, GrantRule, Match, grant_of
from llmproxy.core.people.person import Asserted
from llmproxy.usagelimits import UNLIMITED, UsageLimits

from ...tables import row


def who(**changes: Any) -> Asserted:
    values: dict[str, Any] = {
        "email": "ann@x.org",
        "email_verified": True,
        "groups": ("eng", "eng-core"),
        "claims": {"department": "research", "roles": ["a", "b"], "nested": {"flag": True}},
    }
    return Asserted("corp", "https://a", "u1", **(values | changes))


class MatchTests(SynchronousTestCase):
    def test_each(self) -> None:
        """All that is given has to hold, of several values one."""
        for match, holds in (
            (Match(), True),
            (Match(providers=("corp", "b")), True),
            (Match(providers=("b",)), False),
            (Match(groups=("eng",)), True),
            (Match(groups=("eng-*",)), True),
            (Match(groups=("en",)), False),
            (Match(groups=("ENG",)), False),
            (Match(groups=("x", "eng")), True),
            (Match(emails=("*@x.org",)), True),
            (Match(emails=("ANN@X.ORG",)), True),
            (Match(emails=("*@y.org",)), False),
            (Match(claims={"department": ("res*",)}), True),
            (Match(claims={"roles": ("b",)}), True),
            (Match(claims={"roles": ("c",)}), False),
            (Match(claims={"nested.flag": ("true",)}), True),
            (Match(claims={"not_there": ("*",)}), False),
            (Match(groups=("eng",), emails=("*@y.org",)), False),
            (Match(providers=("corp",), groups=("eng",), emails=("*@x.org",)), True),
        ):
            self.assertEqual(match.holds(who()), holds, match)

    def test_unverified(self) -> None:
        """An address that the provider does not vouch for opens nothing, not even for C{*}."""
        for person in (who(email_verified=False), who(email="")):
            self.assertFalse(Match(emails=("*",)).holds(person), person)

    def test_endings(self) -> None:
        """A pattern is of the whole text: no other domain ends or begins like one's own, and no line break helps."""
        for email in ("ann@x.org.evil.com", "ann@x.org\nb", "ann@evilx.org"):
            self.assertFalse(Match(emails=("ann@x.org", "*@x.org")).holds(who(email=email)), email)

    def test_slow(self) -> None:
        """No claim keeps the process busy."""
        self.assertFalse(Match(groups=("*a*a*a*a*a*a*b",)).holds(who(groups=("a" * 250,))))


class GrantTests(SynchronousTestCase):
    def test_nobody(self) -> None:
        """Who is matched by no rule is refused."""
        for rules in ((), (GrantRule(Match(groups=("x",)), "p"),)):
            self.assertEqual(grant_of(rules, who()).refusal, "no rule of identity is for this person", rules)

    def test_each_by_itself(self) -> None:
        """The first rule that matches and says a thing says it; groups of all add up."""
        rules = (
            GrantRule(Match(groups=("eng-core",)), role="operator", groups=("core",)),
            GrantRule(Match(groups=("other",)), "none", "owner"),
            GrantRule(Match(groups=("eng",)), "engineering", limits=UsageLimits(rpm_limit=5), groups=("staff", "core")),
            GrantRule(project="all", role="auditor", limits=UsageLimits(rpm_limit=1, max_budget=Decimal(3))),
        )
        self.assertEqual(
            grant_of(rules, who()),
            Grant(
                "engineering",
                "operator",
                UsageLimits(rpm_limit=5, max_budget=Decimal(3)),
                ("eng", "eng-core", "core", "staff"),
                (1, 3, 4),
            ),
        )

    def test_nothing_said(self) -> None:
        """Limits of which nothing is said are the very value that others look for."""
        self.assertIs(grant_of((GrantRule(project="p"),), who()).limits, UNLIMITED)
        # No limit, said first, is what holds.
        rules = (GrantRule(limits=UsageLimits(rpm_limit=None)), GrantRule(limits=UsageLimits(rpm_limit=5)))
        self.assertIsNone(grant_of(rules, who()).limits.rpm_limit)

    def test_deny(self) -> None:
        """A rule that refuses does so wherever it stands, and gives nothing of what stood before."""
        rules = (GrantRule(project="p", role="owner"), GrantRule(Match(emails=("ann@*",)), deny=True))
        found = grant_of(rules, who())
        self.assertEqual((found.project, found.role, found.denied), ("", None, 2))
        self.assertEqual(found.refusal, "rule 2 of identity refuses this person")
        self.assertEqual(grant_of(rules, who(email="bob@x.org")).role, "owner")

    def test_refused_by_any_address(self) -> None:
        """An address that nobody vouches for gives nothing, and saves nobody from a rule that refuses it."""
        out = GrantRule(Match(emails=("*@out.org",)), deny=True)
        rules = [GrantRule(role="owner"), out]
        for verified in (True, False):
            with row(verified):
                self.assertEqual(grant_of(rules, who(email="Bob@Out.org", email_verified=verified)).denied, 2)
        self.assertEqual(grant_of(rules, who(email="")).role, "owner")
