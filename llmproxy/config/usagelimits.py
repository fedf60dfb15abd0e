"""The section C{usage_limits} of a configuration: limits of all tokens, and rules by API, model, project and caller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, fields, frozen

from ..usagelimits import UNLIMITED, UNSET, OnStoreFailure, OverBudget, Overload, Unset, UsageLimits

if TYPE_CHECKING:
    from decimal import Decimal

    from ..core.limits.values import LimitRule, UsageLimitSettings

COUNTED = (
    "rpm_limit",
    "tpm_limit",
    "max_parallel_requests",
    "max_budget",
    "budget_duration",
    "soft_budget",
    "hard_budget",
    "over_budget",
    "downgrade",
)
"""The limits that a rule can state: what is allowed is a matter of tokens, projects and APIs."""


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@frozen
class LimitRuleConfig:
    """
    One entry of C{usage_limits.rules}: what it selects (see L{LimitRule}), and the limits of that (see L{UsageLimits}).
    """

    per: str = ""
    api: str = ""
    model: str = ""
    project: str = ""
    user: str = ""
    tags: Mapping[str, str] = field(factory=dict)
    unauthenticated: bool = False
    on_store_failure: OnStoreFailure | None = None
    rpm_limit: int | Unset | None = UNSET
    tpm_limit: int | Unset | None = UNSET
    max_parallel_requests: int | Unset | None = UNSET
    max_budget: Decimal | Unset | None = UNSET
    budget_duration: str | Unset | None = UNSET
    soft_budget: Decimal | Unset | None = UNSET
    hard_budget: bool | Unset | None = UNSET
    over_budget: OverBudget | Unset | None = UNSET
    downgrade: tuple[tuple[str, str], ...] | Unset | None = UNSET

    def limits(self) -> UsageLimits:
        """What it states."""
        return UsageLimits(**{name: getattr(self, name) for name in COUNTED})

    def rule(self) -> LimitRule:
        """What is looked up."""
        from ..core.limits.values import LimitRule

        per = self.per or ("address" if self.unauthenticated else "project")
        names = ("api", "model", "project", "user", "tags", "unauthenticated", "on_store_failure")
        return LimitRule(self.limits(), per, **{name: getattr(self, name) for name in names})

    def contradictions(self) -> Iterator[str]:
        """Why it cannot hold, in sentences."""
        from ..core.limits import stated

        said = [name for name in (*COUNTED[:4], "soft_budget") if getattr(self, name) not in (UNSET, None)]
        if not said:
            yield f"says no limit: give one of {', '.join(COUNTED[:4])}"
        for name, sentence in stated.contradictions(self.limits(), defaults=False):
            yield f"{name}: {sentence}"
        if not self.unauthenticated:
            return
        if self.per not in ("", "address", "all"):
            yield f"unauthenticated: such a request has no {self.per.partition(':')[0]}; count it per: address or all"
        others = [name for name in ("model", "project", "user", "tags") if getattr(self, name)]
        others += [name for name in said if name not in ("rpm_limit", "max_parallel_requests")]
        if others:
            yield f"unauthenticated: {others[0]} cannot hold of a request that is refused before its body is read"

    @property
    def needs_body(self) -> bool:
        """Whether the body of a request must be read before it is known what it meets."""
        counted = any(getattr(self, name) not in (UNSET, None) for name in ("tpm_limit", "max_budget", "soft_budget"))
        return counted or bool(self.model or self.user) or self.per == "user"

    def words(self) -> str:
        """What it says, for people."""
        return f"{words_of(self.limits())}, {self.rule().words.removeprefix('the rule ')}"


@frozen
class UsageLimitsConfig:
    """
    @ivar defaults: of every token, where it says nothing.
    @ivar time_zone: whose calendar budgets go by; a name of the IANA database.
    @ivar rate_limit_fields: answers carry C{RateLimit} fields, not only refusals.
    @ivar budget_leases: processes without Redis share budgets by leases in the database. It is read at the start.
    """

    defaults: UsageLimits = UNLIMITED
    rules: tuple[LimitRuleConfig, ...] = field(default=(), converter=_tuple)
    on_store_failure: OnStoreFailure = "local"
    overload: Overload | None = None
    time_zone: str = "UTC"
    rate_limit_fields: bool = False
    budget_leases: bool = True

    def settings(self) -> UsageLimitSettings:
        """What is looked up for each request."""
        from ..core.limits.values import UsageLimitSettings
        from ..core.reportperiods import zone_of

        return UsageLimitSettings(
            self.defaults,
            tuple(each.rule() for each in self.rules),
            self.on_store_failure,
            self.overload,
            zone_of(self.time_zone),
            self.rate_limit_fields,
        )


def words_of(limits: UsageLimits) -> str:
    """The limits of which something is said, for people."""
    said = {each.name: getattr(limits, each.name) for each in fields(UsageLimits)}
    return ", ".join(f"{name} {_shown(value)}" for name, value in said.items() if value is not UNSET)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(each if isinstance(each, str) else ": ".join(each) for each in value)
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
