"""Principals: tokens, the projects that they belong to, and both as those of one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from .usagelimits import UNLIMITED, UsageLimits


def _in_order(keys: Mapping[str, str | tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    """One key may be given as a text, which is no sequence of letters."""
    return {api: (each,) if isinstance(each, str) else each for api, each in keys.items()}


@frozen
class Project:
    """
    A tenant: it owns tokens, and upstream keys by API. Times are seconds since the epoch.

    @ivar api_keys: by the name of the API that they were given for and go to alone, one or more in their order; one
        that cannot be read is C{""}.
    @ivar version: counts the changes that management made.
    @ivar budget_reset_at: when its budget was last set back by hand; C{None} if never.
    """

    id: str
    name: str
    api_keys: Mapping[str, tuple[str, ...]] = field(factory=dict, repr=False, converter=_in_order)
    is_active: bool = True
    deactivated_at: float | None = None
    created_at: float = 0.0
    updated_at: float = 0.0
    version: int = 1
    limits: UsageLimits = UNLIMITED
    budget_reset_at: float | None = None


@frozen
class Token:
    """
    A withering token as it is stored: never its secret, only the hash of it.

    @ivar hint: what lists show instead of the secret.
    @ivar max_requests: how many uses are allowed; C{None} is without limit.
    @ivar request_count: how many uses were spent.
    @ivar reserved_lost: uses that died with the process that had leased them: spent or not, and counted as spent.
    @ivar metadata: what its owner noted, a JSON object as text; C{None} if nothing.
    @ivar version: counts the changes that management made; uses are none.
    @ivar previous_hash: of the secret that it had before it was rotated, which is good until C{previous_until}.
    @ivar budget_reset_at: as of L{Project}.
    @ivar person_id: whose it is, where somebody got it by signing in.
    @ivar kind: how it came about, C{jwt} or C{device} of L{llmproxy.core.tokens}; C{None}: an operator made it.
    """

    id: str
    token_hash: str = field(repr=False)
    hint: str
    project_id: str
    expires_at: float | None
    is_active: bool = True
    deactivated_at: float | None = None
    request_count: int = 0
    max_requests: int | None = None
    created_at: float = 0.0
    last_used_at: float | None = None
    cache_hit_count: int = 0
    name: str | None = None
    metadata: str | None = None
    version: int = 1
    previous_hash: str | None = field(default=None, repr=False)
    previous_until: float | None = None
    reserved_lost: int = 0
    limits: UsageLimits = UNLIMITED
    budget_reset_at: float | None = None
    person_id: str | None = None
    kind: str | None = None


@frozen(eq=False)
class Principal:
    """
    Who sent a request: the token, and the project that it spends for.

    It is what L{llmproxy.interfaces.IDirectory} answers, and is replaced, never changed, when the
    token or the project is.

    @ivar has_lists: the limits of one of them have lists of what is allowed.
    @ivar plans: what L{llmproxy.middleware.limitrules} has found out about it, as long as it is not replaced.
    """

    token: Token
    project: Project
    has_lists: bool = field(init=False, repr=False)
    plans: dict[Any, Any] = field(factory=dict, init=False, repr=False)

    @has_lists.default
    def _of_limits(self) -> bool:
        return self.token.limits.has_lists or self.project.limits.has_lists
