"""Policies of APIs that also keep to what a token and its project may use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from attrs import evolve

from ..core.endpoints import Endpoints
from ..core.inspection.callerendpoints import EndpointRule
from ..core.inspection.callermodels import CallerRule
from ..core.inspection.whitelist import EveryRule, ParamRule
from ..core.limits.allowed import Allowed, allowed_of

if TYPE_CHECKING:
    from ..core.policy import Policy
    from ..message import Api, ApiRequest, Principal
    from ..usagelimits import UsageLimits

_MOST_KNOWN = 512
"""Policies with the models of callers: what is beyond is compiled anew."""

_OF_BATCHES = re.compile(rb"/(?:files|batches)/?\Z")
"""Where files with calls are sent to, and batches made of them."""

_Models = tuple[tuple[str, tuple[str, ...]], ...]
_Calls = tuple[tuple[str, Endpoints], ...]


class Allowing:
    """
    @param defaults: of every token that says nothing itself.
    @ivar has_defaults: they hold a list, so that every caller is looked at.
    """

    def __init__(self, defaults: UsageLimits) -> None:
        self._defaults = defaults
        self.has_defaults = defaults.has_lists
        # A principal is replaced when its token or project changes, and kept no longer than the directory has it.
        self._allowed: WeakKeyDictionary[Principal, tuple[Allowed, ...]] = WeakKeyDictionary()
        self._policies: dict[tuple[Api, _Models, _Models], Policy] = {}

    def policy_for(self, request: ApiRequest) -> Policy:
        """
        The policy of the API, with the models of the caller's lists.

        @raise NotPermitted: the API, the endpoint or the address is not on one of them.
        """
        route = request.route
        allowed = self.allowed(request.principal)
        if not allowed:
            return route.api.policy
        for each in allowed:
            each.check(route.api.name, route.path, request.client)
        models: _Models = tuple((each.whose, each.models) for each in allowed if each.models is not None)
        calls: _Calls = ()
        if _OF_BATCHES.search(route.path) is not None:
            calls = tuple((each.whose, each.endpoints) for each in allowed if each.endpoints is not None)
        return self._policy(route.api, models, calls) if models or calls else route.api.policy

    def allowed(self, principal: Principal) -> tuple[Allowed, ...]:
        """The lists of a caller."""
        found = self._allowed.get(principal)
        if found is None:
            found = self._allowed[principal] = allowed_of(principal, self._defaults)
        return found

    def _policy(self, api: Api, models: _Models, calls: _Calls) -> Policy:
        key = (api, models, tuple((whose, endpoints.entries) for whose, endpoints in calls))
        found = self._policies.get(key)
        if found is None:
            if len(self._policies) >= _MOST_KNOWN:
                self._policies.clear()
            found = self._policies[key] = with_lists(api.policy, models, calls)
        return found


def with_lists(policy: Policy, models: _Models, calls: _Calls) -> Policy:
    """
    A policy that also keeps to C{models}, each of which is somebody's list.

    @param calls: to which the calls of a batch have to keep.
    """
    whitelist = policy.whitelist
    of_models = [CallerRule.of(whose, patterns, whitelist.places) for whose, patterns in models]
    of_calls = [EndpointRule.of(whose, endpoints) for whose, endpoints in calls]
    return evolve(policy, whitelist=whitelist.beside(_every(of_models), _every(of_calls)))


def _every(rules: Sequence[ParamRule]) -> ParamRule | None:
    return reduce(EveryRule.both, rules) if rules else None
