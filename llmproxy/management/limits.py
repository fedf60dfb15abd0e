"""Rules of limits: what may be stated of a token or a project, and what is left of what holds for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, succeed

from ..config.rules import endpoint
from ..core.limits import stated
from ..core.limits.values import Asking, Rule, UsageLimitSettings, effective
from ..errors import BadRequest, Unavailable, Unprocessable
from ..usagelimits import FIELDS, UNSET, UsageLimits

if TYPE_CHECKING:
    from ..message import Project, Token

_EACH = {"models": stated.model, "endpoints": endpoint, "source_addresses": stated.source}


@frozen
class Left:
    """
    @ivar amount: of what L{Rule.limit} counts; C{None} if that cannot be found out now.
    @ivar resets_at: when all of it is there again, seconds since the epoch; C{None} if never, or if nobody knows.
    """

    rule: Rule
    amount: int | None
    resets_at: float | None


class KnowsLimits(Protocol):
    """The limits of the configuration, and what is left of them."""

    @property
    def settings(self) -> UsageLimitSettings:
        """Those that hold now; others do when the configuration is swapped."""

    def left(self, rules: Sequence[Rule]) -> Deferred[Sequence[Left]]:
        """What is left of each, in their order."""


class NothingLimited:
    """The limits of a process that serves nobody: it knows what is stated, and not what is left."""

    settings = UsageLimitSettings()

    def left(self, rules: Sequence[Rule]) -> Deferred[Sequence[Left]]:
        return succeed([Left(rule, None, None) for rule in rules])


def checked(said: Mapping[str, Any], apis: Collection[str] | None) -> dict[str, Any]:
    """
    Limits by the names of their fields, in the form that L{UsageLimits} has them.

    @param said: as JSON has them; C{UNSET} and C{None} stay.
    @param apis: those that are served; C{None} if that is not known.
    @raise Unprocessable: one of them cannot be.
    """
    found: dict[str, Any] = {}
    for name, value in said.items():
        try:
            found[name] = value if value is None or value is UNSET else _value(name, value, apis)
        except ValueError as error:
            raise Unprocessable(str(error), message=f"invalid {name}") from None
    return found


def check_together(limits: UsageLimits, *, defaults: bool) -> None:
    """
    @param defaults: those of the configuration hold beside them.
    @raise Unprocessable: some of them contradict each other.
    """
    for name, sentence in stated.contradictions(limits, defaults=defaults):
        raise Unprocessable(sentence, message=f"invalid {name}")


def check_with_defaults(limits: UsageLimits, knows: KnowsLimits) -> None:
    """
    Limits of a token, as they hold with those of the configuration: a C{hard_budget} of a budget that nobody states
    would hold of nothing.

    @raise Unprocessable: some of them contradict each other.
    """
    check_together(limits, defaults=True)
    if not isinstance(knows, NothingLimited):
        check_together(limits.over(knows.settings.defaults), defaults=False)


def changes_of(said: Mapping[str, Any], unset: Sequence[str]) -> dict[str, Any]:
    """
    What is to be changed, with C{UNSET} for what is to say nothing again.

    @raise BadRequest: a field is both.
    """
    both = [name for name in unset if name in said]
    if both:
        raise BadRequest(f"{both[0]} is given, and in unset_limits", message="contradictory limits")
    return {**said, **dict.fromkeys(unset, UNSET)}


async def left_of(limits: KnowsLimits, project: Project | None, token: Token | None, now: float) -> Sequence[Left]:
    """
    What is left of the limits of a token, or of a project, and of the rules that hold for all of its requests; while
    that cannot be found out, which they are.
    """
    return (await left_of_each(limits, [(project, token)], now))[0]


async def left_of_each(
    limits: KnowsLimits,
    owners: Sequence[tuple[Project | None, Token | None]],
    now: float,
    kinds: Collection[str] | None = None,
) -> list[Sequence[Left]]:
    """
    The same of several, asked for at once.

    @param kinds: of rules; C{None} is all.
    """
    rules = [
        [rule for rule in _rules_of(limits, project, token) if kinds is None or rule.kind in kinds]
        for project, token in owners
    ]
    asked = [rule for each in rules for rule in each]
    if not asked:
        return [()] * len(owners)
    try:
        found = iter(await limits.left(asked))
    except Unavailable:
        found = iter([Left(rule, None, None) for rule in asked])
    return [[_dated(left, now) for left in islice(found, len(each))] for each in rules]


def _dated(left: Left, now: float) -> Left:
    return left if left.rule.kind != "money" else evolve(left, resets_at=left.rule.span(now)[1])


def _rules_of(limits: KnowsLimits, project: Project | None, token: Token | None) -> list[Rule]:
    """Those that hold for all requests of one."""
    asking = Asking(project, token)
    scopes = ("project",) if token is None else ("token", "person")
    own = {asking.scope(each) for each in scopes} - {""}
    return [rule for rule in effective(limits.settings, asking) if rule.scope.partition("|")[0] in own]


def _value(name: str, value: Any, apis: Collection[str] | None) -> Any:
    if name in ("max_budget", "soft_budget"):
        return stated.amount(value)
    if name == "budget_duration":
        return stated.duration(value)
    if name == "downgrade":
        return tuple((stated.model(one), stated.model(other)) for one, other in value.items())
    if name == "apis":
        unknown = [each for each in value if apis is not None and each not in apis]
        if unknown:
            raise ValueError(f"no API is called {unknown[0][:64]!r}; there are {', '.join(sorted(apis or ()))}")
    if name in _EACH:
        return tuple(_EACH[name](each) for each in value)
    return tuple(value) if isinstance(value, list) else value


assert set(_EACH) < set(FIELDS)
