"""
The limits that a token, a project or a rule of the configuration states: rates, money, and what is allowed.

Each field has three states. L{UNSET} says nothing, so that what stands above (the defaults) holds; C{None} says that
there is no limit; a value is the limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import fields_dict, frozen

if TYPE_CHECKING:
    from decimal import Decimal


class Unset(Enum):
    """The type of L{UNSET}."""

    UNSET = "unset"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return self.name


UNSET: Final = Unset.UNSET
"""Nothing is said."""

Names = tuple[str, ...]

OverBudget = Literal["refuse", "warn", "downgrade"]
"""What becomes of a request whose budget is used up."""

OnStoreFailure = Literal["open", "closed", "local"]
"""
What holds of a limit while the store that machines share cannot be asked: nothing (C{open}), every request is refused
(C{closed}), or each process counts for itself (C{local}).
"""


@frozen
class UsageLimits:
    """
    @ivar rpm_limit: requests in a minute.
    @ivar tpm_limit: tokens in a minute, of input and output together.
    @ivar max_parallel_requests: requests at once.
    @ivar max_budget: USD in each C{budget_duration}.
    @ivar budget_duration: see L{llmproxy.core.limits.windows.window_of}; without one, C{total}.
    @ivar soft_budget: USD from which on there are warnings.
    @ivar hard_budget: a stream is cut when its reservation and what is left are used up.
    @ivar over_budget: see L{OverBudget}; without one, C{refuse}.
    @ivar downgrade: for C{over_budget: downgrade}, which model is asked in place of which.
    @ivar models: patterns (L{llmproxy.core.glob}) of the models that may be used, by the caller's names.
    @ivar apis: names of the APIs that may be asked.
    @ivar endpoints: as C{allowed_endpoints} of an API has them, relative to the API.
    @ivar source_addresses: networks that callers may come from, as CIDR.
    """

    rpm_limit: int | Unset | None = UNSET
    tpm_limit: int | Unset | None = UNSET
    max_parallel_requests: int | Unset | None = UNSET
    max_budget: Decimal | Unset | None = UNSET
    budget_duration: str | Unset | None = UNSET
    soft_budget: Decimal | Unset | None = UNSET
    hard_budget: bool | Unset | None = UNSET
    over_budget: OverBudget | Unset | None = UNSET
    downgrade: tuple[tuple[str, str], ...] | Unset | None = UNSET
    models: Names | Unset | None = UNSET
    apis: Names | Unset | None = UNSET
    endpoints: Names | Unset | None = UNSET
    source_addresses: Names | Unset | None = UNSET

    def over(self, defaults: UsageLimits) -> UsageLimits:
        """These, and what C{defaults} say where these say nothing."""
        if self is UNLIMITED or self == UNLIMITED:
            return defaults
        if defaults is UNLIMITED:
            return self
        return UsageLimits(*(mine if mine is not UNSET else above for mine, above in zip(self, defaults, strict=True)))

    @property
    def has_lists(self) -> bool:
        """Whether something is allowed only if it is on a list."""
        return any(isinstance(each, tuple) for each in (self.models, self.apis, self.endpoints, self.source_addresses))

    def __iter__(self) -> Iterator[Any]:
        """The values, in the order of L{FIELDS}."""
        return (getattr(self, name) for name in FIELDS)


FIELDS: Final[Names] = tuple(fields_dict(UsageLimits))
"""The names of all limits."""

UNLIMITED: Final = UsageLimits()
"""Nothing is said of anything."""


@frozen
class Overload:
    """
    @ivar exchanges: at once, in each process.
    @ivar queue: requests that wait for a place.
    @ivar wait: seconds that they wait at most.
    """

    exchanges: int
    queue: int = 0
    wait: float = 1.0
