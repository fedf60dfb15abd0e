"""Rules of limits by request: looked up once for each kind of request, with all that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.limits.values import Asking, Rule, UsageLimitSettings, effective, needs_body
from ..core.limits.verdicts import Part
from ..core.prices import billed_to
from ..message import Attribution
from ..usagelimits import UNLIMITED

if TYPE_CHECKING:
    from ..core.limits.counterset import Counted
    from ..core.limits.reservation import Seen
    from ..core.pricing.tariff import Line, Tariff
    from ..message import Api, ApiRequest

MOST_MODELS = 64
"""Of one principal, whose rules are remembered: clients may name any."""

MOST_KINDS, MOST_OF_KIND = 64, 4
"""Addresses, users and tags of one principal, likewise, and the models of each."""

_NOBODY = Attribution()
_BY_PRINCIPAL = frozenset({"token", "project", "all"})
_USED = frozenset({"tokens", "money"})


class Plan:
    """
    The limits of requests of one kind: a principal's, for one model of one API.

    @ivar key: the API, and the model as the caller names it; C{""} where that is not known.
    @ivar uses: what a request uses has to be estimated.
    @ivar is_taken: it counts requests, and nothing else: of one that was sent nothing is to be settled.
    @ivar has_money: it is counted in money too.
    @ivar fixed: what each request takes; C{None} where that is not the same for all.
    @ivar hard: a budget that cuts streams; C{None} where none of them does.
    @ivar provider: who bills them, where clients have an account there: what has no price in the configuration costs
        nothing then; C{""} otherwise.
    @ivar is_metered: answers are read.
    @ivar tariff: by which the model is billed, as it was found in C{priced_by}.
    @ivar counters: that count it, where they are at hand.
    @ivar line: what that says of any number of tokens at any time; C{None} where it is not as simple.
    @ivar nothing: what of each part is known where nothing is.
    @ivar seen: what its model has used of late; C{None} before the first answer.
    """

    __slots__ = (
        "_money",
        "_parts",
        "_tokens",
        "counters",
        "fixed",
        "hard",
        "has_money",
        "is_metered",
        "is_taken",
        "key",
        "line",
        "nothing",
        "priced_by",
        "provider",
        "rules",
        "seen",
        "tariff",
        "uses",
    )

    def __init__(self, api: Api, model: str, rules: Sequence[Rule]) -> None:
        self.key = (api.name, model)
        self.rules = tuple(rules)
        self.is_metered = api.settings.meter is not None
        self.counters: Counted | None = None
        self.seen: Seen | None = None
        self.line: Line | None = None
        self.tariff: Tariff | None = None
        self.priced_by: object = None
        self.provider = billed_to(api.upstreams[0]) if api.is_clients else ""
        self._tokens = tuple((at, rule) for at, rule in enumerate(rules) if rule.kind == "tokens")
        self._money = tuple((at, rule) for at, rule in enumerate(rules) if rule.kind == "money")
        self.nothing: list[int | None] = [None] * len(rules)
        self._parts = [Part(rule, 0 if rule.kind in _USED else 1) for rule in rules]
        self.has_money = bool(self._money)
        self.uses = bool(self._tokens or self._money)
        self.is_taken = all(rule.kind == "requests" for rule in rules)
        self.fixed = None if self.uses else tuple(self._parts)
        self.hard = next((rule for _, rule in self._money if rule.hard), None)

    def again(self, api: Api) -> Plan:
        """That of a further call to upstream for the same exchange, which is one request of its client's."""
        return Plan(api, self.key[1], [rule for rule in self.rules if rule.kind != "requests"])

    def bill_by(self, tariff: Tariff | None, prices: object) -> None:
        """The model is billed so, as long as prices are those."""
        self.tariff, self.priced_by = tariff, prices
        self.line = None if tariff is None else tariff.line

    def parts(self, tokens: int, money: int) -> list[Part]:
        """What a request takes."""
        parts, new = self._parts.copy(), tuple.__new__
        for at, rule in self._tokens:
            parts[at] = new(Part, (rule, tokens))
        for at, rule in self._money:
            parts[at] = new(Part, (rule, money))
        return parts

    def used(self, tokens: int | None, money: int | None) -> list[int | None]:
        """What of each of its parts it was in the end; C{None} where that is not known."""
        used = self.nothing.copy()
        for at, _ in self._tokens:
            used[at] = tokens
        for at, _ in self._money:
            used[at] = money
        return used


class Plans(dict[str, Plan]):
    """
    Those of a principal, by model, where nothing else decides.

    @ivar owner: whose rules they follow from.
    @ivar needs_body: a body must be read before it is known which one holds.
    """

    __slots__ = ("needs_body", "owner")

    def __init__(self, owner: LimitRules, needs_body: bool) -> None:
        super().__init__()
        self.owner = owner
        self.needs_body = needs_body


_Kind = tuple[str, ...]


class LimitRules:
    """
    A principal is replaced when its token, its project or their limits change, so that what is remembered of it holds.

    @ivar always: there may be rules for those of whom nothing is stated.
    @ivar varies: they depend on what a request says of itself, or on where it comes from.
    """

    def __init__(self, settings: UsageLimitSettings) -> None:
        self._settings = settings
        rules = [each for each in settings.rules if not each.unauthenticated]
        self.always = settings.defaults != UNLIMITED or bool(rules)
        self.varies = any(each.per not in _BY_PRINCIPAL or each.user or each.tags for each in rules)
        self._by_address = any(each.per == "address" for each in rules)
        self._by_user = any(each.per == "user" or each.user for each in rules)
        tags = {each.per.removeprefix("tag:") for each in rules if each.per.startswith("tag:")}
        self._tags = sorted(tags.union(*(each.tags for each in rules)))

    def of(self, request: ApiRequest) -> Plans:
        """Those that hold for requests like this one, as far as they were looked up."""
        known: dict[str | _Kind, Plans] = request.principal.plans
        kind = self._kind(request) if self.varies else request.route.api.name
        plans = known.get(kind)
        if plans is None or plans.owner is not self:
            if plans is not None or (self.varies and len(known) >= MOST_KINDS):
                # What others have found is of a configuration that was replaced.
                known.clear()
            plans = known[kind] = Plans(self, needs_body(self._settings, self._asking(request, "")))
        return plans

    def plan(self, plans: Plans, request: ApiRequest, model: str) -> Plan:
        """The one for a model."""
        plan = plans.get(model)
        if plan is None:
            if len(plans) >= (MOST_OF_KIND if self.varies else MOST_MODELS):
                plans.clear()
            rules = effective(self._settings, self._asking(request, model))
            plan = plans[model] = Plan(request.route.api, model, rules)
        return plan

    def _kind(self, request: ApiRequest) -> _Kind:
        """All that rules look at, but for the model."""
        said = request.record.attribution or _NOBODY
        address = request.client if self._by_address else ""
        user = said.user if self._by_user else ""
        return (request.route.api.name, address, user, *(said.tags.get(name, "") for name in self._tags))

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
