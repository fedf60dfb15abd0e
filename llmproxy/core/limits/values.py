"""
Rules: the limits that hold for one request, each with what it counts and in which words it refuses.

They follow from what a token and its project state, what the configuration states for all of them, and what it states
for APIs, models, addresses, users and tags. Each rule counts in a I{scope}; of several in a same scope the tightest
holds, those of different scopes all hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timezone, tzinfo
from decimal import ROUND_FLOOR, Decimal
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Literal, TypeVar
from urllib.parse import quote

from attrs import evolve, field, frozen

from ...message import Project, Token
from ...record import Attribution
from ...usagelimits import UNLIMITED, UNSET, OnStoreFailure, OverBudget, Unset, UsageLimits
from ...usagelimits import Overload as Overload
from ..glob import any_of
from .windows import TOTAL, window_of

PICO = 10**12
"""Amounts of money are whole 10^-12 USD in rules and stores, as the ledger has them."""

MINUTE = "1m"
"""The window of rates; they slide, whereas those of budgets have a begin and an end."""

Kind = Literal["requests", "tokens", "parallel", "money"]

T = TypeVar("T")


@frozen
class Rule:
    """
    One limit that holds for one request.

    @ivar scope: what is counted together: C{token:ID}, C{project:ID}, C{address:NETWORK}, C{user:PROJECT:NAME},
        C{tag:PROJECT:NAME=VALUE} or C{all}, and behind C{|} what a rule of the configuration selects.
    @ivar limit: requests, tokens, requests at once; money in L{PICO}.
    @ivar source: whose it is and its field, for refusals: C{rpm_limit of the token 'ci'}.
    @ivar window: L{MINUTE}; of money, its C{budget_duration}; C{""} of requests at once.
    @ivar zone: whose calendar a budget goes by.
    @ivar since: seconds since the epoch at which a budget was last set back; what was spent before counts no more.
    @ivar soft: money from which on there are warnings; C{None} for no such.
    @ivar key: what a store may count it under: the same for what is counted together, and another after it was set
        back.
    """

    kind: Kind
    scope: str
    limit: int
    source: str
    window: str = ""
    on_store_failure: OnStoreFailure = "local"
    zone: tzinfo = timezone.utc
    since: float = 0.0
    soft: int | None = None
    hard: bool = False
    over_budget: OverBudget = "refuse"
    downgrade: tuple[tuple[str, str], ...] = ()
    key: str = field(init=False, eq=False, repr=False)

    @key.default
    def _of_scope(self) -> str:
        reset = f"@{self.since!r}" if self.since else ""
        return f"{self.kind}:{self.scope}:{self.window}{reset}"

    @property
    def per(self) -> str:
        """What is counted for itself, by a word of L{LimitRule.per}, without the name of a tag."""
        return self.scope.partition("|")[0].partition(":")[0]

    def span(self, at: float) -> tuple[float, float | None]:
        """The window of a budget that a moment is in, see L{window_of}; it does not begin before C{since}."""
        begin, end = window_of(self.window, at, self.zone)
        return max(begin, self.since), end


@frozen
class LimitRule:
    """
    A rule of the configuration.

    @ivar per: what is counted for itself: each C{project}, C{token}, C{person} who signs in, C{address}, C{user}, each
        value of C{tag:NAME}, or C{all} together.
    @ivar api: the name of an API; C{""} for all.
    @ivar model: a pattern (L{llmproxy.core.glob}); C{""} for all, known or not.
    @ivar project: a name or id; C{""} for all.
    @ivar user: that of a request; C{""} for all.
    @ivar tags: those that a request must have.
    @ivar unauthenticated: it holds for requests without a token that may be used, and for no others.
    """

    limits: UsageLimits
    per: str = "project"
    api: str = ""
    model: str = ""
    project: str = ""
    user: str = ""
    tags: Mapping[str, str] = field(factory=dict)
    unauthenticated: bool = False
    on_store_failure: OnStoreFailure | None = None
    _matches_model: Callable[[str], object] = field(init=False, eq=False, repr=False)

    @_matches_model.default
    def _of_pattern(self) -> Callable[[str], object]:
        return any_of((self.model,)).fullmatch

    @property
    def selected(self) -> str:
        """What it selects, in one text without spaces that no other selection has."""
        said = [(name, getattr(self, name)) for name in ("api", "model", "project", "user")]
        said += [(f"tag.{name}", value) for name, value in sorted(self.tags.items())]
        return "".join(f"|{quote(name, '')}={quote(value, '*')}" for name, value in said if value)

    @property
    def words(self) -> str:
        """What it is for, in refusals: C{the rule per project (api openai, model o3*)}."""
        said = [f"{name} {getattr(self, name)}" for name in ("api", "model", "project", "user") if getattr(self, name)]
        said += [f"tag {name}={value}" for name, value in sorted(self.tags.items())]
        said += ["requests without a good token"] if self.unauthenticated else []
        selected = f" ({', '.join(said)})" if said else ""
        return f"the rule per {self.per}{selected}"

    def selects(self, asking: Asking) -> bool:
        """Whether it holds for a request."""
        project = asking.project
        return (
            self.unauthenticated == (asking.project is None)
            and self.api in ("", asking.api)
            and (not self.project or (project is not None and self.project in (project.id, project.name)))
            and self.user in ("", asking.attribution.user)
            and self.tags.items() <= asking.attribution.tags.items()
            and (not self.model or (asking.model != "" and self._matches_model(asking.model) is not None))
        )

    def counted(self, asking: Asking) -> str:
        """The scope of a request that it selects; C{""} where it has none such: no user, no such tag."""
        counted = asking.scope(self.per)
        return counted and counted + self.selected


@frozen
class UsageLimitSettings:
    """
    C{usage_limits:} of the configuration.

    @ivar defaults: of every token, where it says nothing.
    @ivar zone: whose calendar budgets go by, by its IANA name.
    @ivar rate_limit_fields: answers carry C{RateLimit} fields, not only refusals.
    """

    defaults: UsageLimits = UNLIMITED
    rules: tuple[LimitRule, ...] = ()
    on_store_failure: OnStoreFailure = "local"
    overload: Overload | None = None
    zone: tzinfo = timezone.utc
    rate_limit_fields: bool = False


_NOBODY = Attribution()


@frozen
class Asking:
    """
    What is known of a request when its limits are looked up.

    @ivar project: C{None} for a request without a token that may be used.
    @ivar token: C{None} for such a request, and where all requests of a project are meant.
    @ivar model: the caller's name; C{""} while it is not known.
    @ivar address: of the client; C{""} or C{unix} on a Unix socket.
    """

    project: Project | None
    token: Token | None
    api: str = ""
    model: str = ""
    address: str = ""
    attribution: Attribution = _NOBODY

    def reset_at(self, per: str) -> float | None:
        """When a budget of such a scope was last set back: those of tokens and of projects can be."""
        owner = {"token": self.token, "person": self.token, "project": self.project}.get(per)
        return None if owner is None else owner.budget_reset_at

    def scope(self, per: str) -> str:
        """The scope by the word that L{LimitRule.per} has for it; C{""} where the request has none."""
        owner = "" if self.project is None else self.project.id
        if per == "all":
            return "all"
        if per == "project":
            return owner and f"project:{owner}"
        if per == "token":
            return "" if self.token is None else f"token:{self.token.id}"
        if per == "person":
            whose = None if self.token is None else self.token.person_id
            return f"person:{whose}" if whose else ""
        if per == "address":
            return f"address:{network_of(self.address)}"
        if per == "user":
            return self.attribution.user and f"user:{owner}:{quote(self.attribution.user, '')}"
        name = per.removeprefix("tag:")
        value = self.attribution.tags.get(name, "")
        return value and f"tag:{owner}:{quote(name, '')}={quote(value, '')}"


def network_of(address: str) -> str:
    """What counts as one caller: an address of IPv4, the 64 bits of a network of IPv6; other texts as they are."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return quote(address, "")
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed)


def effective(settings: UsageLimitSettings, asking: Asking) -> tuple[Rule, ...]:
    """
    The rules that hold for a request, at most one of each kind, scope and window.

    Where it is not known which model is asked for, rules for models are not among them.
    """
    tightest: dict[str, Rule] = {}
    for rule in _all(settings, asking):
        known = tightest.get(rule.key)
        tightest[rule.key] = rule if known is None else _tighter(known, rule)
    return tuple(tightest.values())


def needs_body(settings: UsageLimitSettings, asking: Asking) -> bool:
    """
    Whether the body of a request must be read before its limits are known: for tokens and money, and for rules that
    select models or users, which a body may name.
    """
    if any(rule.kind in ("tokens", "money") for rule in _all(settings, evolve(asking, model=""))):
        return True
    return any(_wants(rule) and _could_select(rule, asking) for rule in settings.rules)


def _wants(rule: LimitRule) -> bool:
    return rule.model != "" or rule.user != "" or rule.per == "user"


def _could_select(rule: LimitRule, asking: Asking) -> bool:
    return evolve(rule, model="", user="").selects(asking)


def _all(settings: UsageLimitSettings, asking: Asking) -> Iterator[Rule]:
    token, project = asking.token, asking.project
    if token is not None:
        limits, since = token.limits.over(settings.defaults), token.budget_reset_at
        if token.person_id is None:
            scope, words = f"token:{token.id}", f"the token {(token.name or token.hint)!r}"
        else:
            # However many devices somebody signs in with, what they may use is one.
            scope, words = f"person:{token.person_id}", "the person who is signed in"
        yield from _rules(limits, scope, words, settings, since)
    if project is not None and project.limits is not UNLIMITED:
        words = f"the project {project.name!r}"
        yield from _rules(project.limits, f"project:{project.id}", words, settings, project.budget_reset_at)
    for rule in settings.rules:
        scope = rule.counted(asking) if rule.selects(asking) else ""
        if scope:
            how = evolve(settings, on_store_failure=rule.on_store_failure or settings.on_store_failure)
            yield from _rules(rule.limits, scope, rule.words, how, asking.reset_at(rule.per))


def _rules(
    limits: UsageLimits, scope: str, words: str, settings: UsageLimitSettings, since: float | None
) -> Iterator[Rule]:
    rates: tuple[tuple[Kind, str, str, int | Unset | None], ...] = (
        ("requests", "rpm_limit", MINUTE, limits.rpm_limit),
        ("tokens", "tpm_limit", MINUTE, limits.tpm_limit),
        ("parallel", "max_parallel_requests", "", limits.max_parallel_requests),
    )
    for kind, name, window, limit in rates:
        if limit is not None and limit is not UNSET:
            yield Rule(kind, scope, limit, f"{name} of {words}", window, settings.on_store_failure)
    yield from _money(limits, scope, words, settings, since or 0.0)


def _money(limits: UsageLimits, scope: str, words: str, settings: UsageLimitSettings, since: float) -> Iterator[Rule]:
    soft, most = _steps(limits.soft_budget), _steps(limits.max_budget)
    limit = soft if most is None else most
    if limit is None:
        return
    yield Rule(
        "money",
        scope,
        limit,
        f"{'soft_budget' if most is None else 'max_budget'} of {words}",
        _said(limits.budget_duration, TOTAL),
        settings.on_store_failure,
        settings.zone,
        since,
        soft,
        bool(limits.hard_budget),
        "warn" if most is None else _said(limits.over_budget, "refuse"),
        _said(limits.downgrade, ()),
    )


def _said(value: T | Unset | None, default: T) -> T:
    return default if value is None or isinstance(value, Unset) else value


def _steps(amount: Decimal | Unset | None) -> int | None:
    return int((amount * PICO).to_integral_value(ROUND_FLOOR)) if isinstance(amount, Decimal) else None


def _tighter(one: Rule, other: Rule) -> Rule:
    """
    The one of the lower limit. Of budgets one that only warns never stands for one that does not, and the strictest
    of what becomes of a request holds; warnings begin at the lowest amount, and it is hard where either is.
    """
    low, high = (one, other) if one.limit <= other.limit else (other, one)
    if low.kind != "money":
        return low
    if low.over_budget == "warn" != high.over_budget:
        # Above its limit the lower one only warns.
        return evolve(high, soft=_least(low.soft, high.soft, low.limit), hard=low.hard or high.hard)
    over = "refuse" if high.over_budget == "refuse" else low.over_budget
    return evolve(low, soft=_least(low.soft, high.soft), hard=low.hard or high.hard, over_budget=over)


def _least(*amounts: int | None) -> int | None:
    return min((each for each in amounts if each is not None), default=None)
