"""
Grants: what follows for a person from the rules of C{identity}.

Each thing that rules can say (the project, the role, each single limit) is said by the first rule that matches and says
it. Groups of ours add up over all that match. A rule with C{deny} refuses whom it matches, wherever it stands. Who is
matched by no rule is refused: nobody gets in because a provider knows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from attrs import evolve, field, frozen

from ...message import Role
from ...usagelimits import UNLIMITED, UNSET, UsageLimits
from ..glob import any_of
from .claims import claim, texts
from .person import MOST_GROUPS, Asserted

Patterns = tuple[str, ...]


@frozen
class Match:
    """
    Whom a rule is for: all that is given has to hold, of several values one.

    @ivar providers: names of providers.
    @ivar groups: patterns of groups of the provider.
    @ivar emails: patterns, in any case of letters, of addresses that the provider vouches for.
    @ivar claims: patterns by the name of a claim (or a path, see L{claim}).
    """

    providers: Patterns = ()
    groups: Patterns = ()
    emails: Patterns = ()
    claims: Mapping[str, Patterns] = field(factory=dict)

    def holds(self, who: Asserted, any_email: bool = False) -> bool:
        """
        Whether it is for somebody.

        @param any_email: an address that the provider does not vouch for counts too.
        """
        if self.providers and who.provider not in self.providers:
            return False
        if self.groups and not _any(self.groups, who.groups):
            return False
        if self.emails:
            mine = (who.email.casefold(),) if who.email and (who.email_verified or any_email) else ()
            if not _any(tuple(each.casefold() for each in self.emails), mine):
                return False
        return all(_any(patterns, _said(claim(who.claims, name))) for name, patterns in self.claims.items())


@frozen
class GrantRule:
    """
    @ivar project: by name or id; C{""} says nothing of it.
    @ivar role: at the management API; C{None} says nothing of it.
    @ivar limits: of their tokens.
    @ivar groups: of ours, beside those of the provider.
    """

    match: Match = field(factory=Match)
    project: str = ""
    role: Role | None = None
    limits: UsageLimits = UNLIMITED
    groups: tuple[str, ...] = ()
    deny: bool = False


@frozen
class Grant:
    """
    What somebody gets.

    @ivar matched: the numbers of the rules that match, from one.
    @ivar denied: the number of the rule that refuses them; 0 for none.
    """

    project: str = ""
    role: Role | None = None
    limits: UsageLimits = UNLIMITED
    groups: tuple[str, ...] = ()
    matched: tuple[int, ...] = ()
    denied: int = 0

    @property
    def refusal(self) -> str:
        """Why they are not let in; C{""} if they are."""
        if self.denied:
            return f"rule {self.denied} of identity refuses this person"
        return "" if self.matched else "no rule of identity is for this person"


def grant_of(rules: Iterable[GrantRule], who: Asserted) -> Grant:
    """What follows from the rules for somebody."""
    found = Grant(groups=who.groups)
    matched: list[int] = []
    for number, rule in enumerate(rules, 1):
        # Nobody evades a refusal by an address that was not verified.
        if not rule.match.holds(who, any_email=rule.deny):
            continue
        if rule.deny:
            return Grant(matched=(*matched, number), denied=number)
        matched.append(number)
        found = evolve(
            found,
            project=found.project or rule.project,
            role=found.role or rule.role,
            limits=_over(found.limits, rule.limits),
            groups=tuple(dict.fromkeys((*found.groups, *rule.groups)))[:MOST_GROUPS],
        )
    return evolve(found, matched=tuple(matched))


def _over(first: UsageLimits, then: UsageLimits) -> UsageLimits:
    if then is UNLIMITED:
        return first
    merged = UsageLimits(*(mine if mine is not UNSET else other for mine, other in zip(first, then, strict=True)))
    return UNLIMITED if merged == UNLIMITED else merged


def _said(value: Any) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ("true" if value else "false",)
    return texts(value)


def _any(patterns: Patterns, values: Iterable[str]) -> bool:
    compiled = _compiled(patterns)
    return any(compiled.fullmatch(value) for value in values)


@lru_cache(maxsize=512)
def _compiled(patterns: Patterns) -> re.Pattern[str]:
    return any_of(patterns)
