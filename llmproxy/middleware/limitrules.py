"""Rules of limits by request: looked up once for each principal and model, where nothing else decides."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ..core.limits.values import Asking, Rule, UsageLimitSettings, effective, needs_body
from ..message import Attribution
from ..usagelimits import UNLIMITED

if TYPE_CHECKING:
    from ..message import ApiRequest, Principal

MOST_MODELS = 64
"""Of one principal, whose rules are remembered: clients may name any."""

_NOBODY = Attribution()
_BY_PRINCIPAL = frozenset({"token", "project", "all"})

Found = dict[tuple[str, str], tuple[Rule, ...]]
"""By API and model."""


class LimitRules:
    """
    A principal is replaced when its token, its project or their limits change, so that what is remembered of it holds.

    @ivar always: there may be rules for those of whom nothing is stated.
    """

    def __init__(self, settings: UsageLimitSettings) -> None:
        self._settings = settings
        rules = [each for each in settings.rules if not each.unauthenticated]
        self.always = settings.defaults != UNLIMITED or bool(rules)
        self._varies = any(each.per not in _BY_PRINCIPAL or each.user or each.tags for each in rules)
        self._found: WeakKeyDictionary[Principal, Found] = WeakKeyDictionary()
        self._needs: WeakKeyDictionary[Principal, dict[str, bool]] = WeakKeyDictionary()

    def of(self, request: ApiRequest, model: str) -> tuple[Rule, ...]:
        """Those that hold for a request."""
        if self._varies:
            return effective(self._settings, self._asking(request, model))
        known = self._found.get(request.principal)
        if known is None:
            known = self._found[request.principal] = {}
        key = (request.route.api.name, model)
        rules = known.get(key)
        if rules is None:
            if len(known) >= MOST_MODELS:
                known.clear()
            rules = known[key] = effective(self._settings, self._asking(request, model))
        return rules

    def need_body(self, request: ApiRequest) -> bool:
        """Whether its body must be read before they are known."""
        if self._varies:
            return needs_body(self._settings, self._asking(request, ""))
        known = self._needs.get(request.principal)
        if known is None:
            known = self._needs[request.principal] = {}
        api = request.route.api.name
        needs = known.get(api)
        if needs is None:
            needs = known[api] = needs_body(self._settings, self._asking(request, ""))
        return needs

    @staticmethod
    def _asking(request: ApiRequest, model: str) -> Asking:
        principal, record = request.principal, request.record
        return Asking(
            principal.project,
            principal.token,
            request.route.api.name,
            model,
            request.client,
            record.attribution or _NOBODY,
        )
