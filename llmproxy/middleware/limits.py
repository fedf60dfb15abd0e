"""Limits of usage: what a request can use at most is reserved before it goes on, and what it has used is settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ..bodies import BytesBody
from ..core.fields import LOWER, MEDIA_TYPES, first, without
from ..core.inspection.steps import finish
from ..core.limits.pricing import at_most
from ..core.limits.refusals import error_of, rate_limit_fields
from ..core.limits.reservation import AT_ONCE, BYTES_A_TOKEN, NOTHING, Estimate, Wants, plain_wants, wants_of
from ..core.limits.verdicts import Refusal, Reservation, other_model
from ..core.pricing.tariff import Tariff
from ..limiterrors import PriceUnknown
from ..providers.readers import ASKED
from .aliases import name_in_body
from .allowing import Allowing
from .limitcut import HardBudget
from .limitheld import Held
from .limitrules import LimitRules

if TYPE_CHECKING:
    from ..core.inspection.steps import Steps
    from ..core.limits.values import Rule, UsageLimitSettings
    from ..core.limits.verdicts import Left, Part
    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse, Fields, Record
    from .checking.inspection import Inspection
    from .limitheld import Settling
    from .limitrules import Plan, Plans

_RATE_LIMIT = frozenset({b"ratelimit", b"ratelimit-policy"})
_STORING = frozenset({b"cache-control", b"expires"})
_IN_NAMES = "/:*"
_NOT_JSON = frozenset({b"audio", b"image", b"video", b"multipart"})
_NO_JSON = frozenset({b"application/x-www-form-urlencoded", b"application/octet-stream"})


_new = tuple.__new__

_UNREAD = Wants()
"""Of a request whose body nobody had to read."""


class Limiting:
    """
    Refuses what does not fit into a limit; a request that is refused, or that is not sent, has used up nothing.

    A body is read only where a limit needs that, and only if it is JSON: of others the size is known.

    @ivar always: there may be rules for principals of whom nothing is stated.
    @param inspection: reads them, within its bounds.
    @param seconds: since the epoch.
    @param unpriced: called with the API and the model where a budget meets a model without a price, which counts 0.
    """

    def __init__(
        self,
        settings: UsageLimitSettings,
        settling: Settling,
        inspection: Inspection,
        seconds: Callable[[], float],
        unpriced: Callable[[str, str], object],
    ) -> None:
        self._by_record = False
        self._rules = LimitRules(settings)
        self._allowing = Allowing(settings.defaults)
        self._shows_fields = settings.rate_limit_fields
        self.always = self._rules.always
        self._settling = settling
        self._inspection = inspection
        self._seconds = seconds
        self._unpriced = unpriced

    def by_record(self) -> Limiting:
        """
        The same, where every exchange has a record of which what it holds is ended with it, see
        L{llmproxy.record.Record.held}: no callback has to wait for that then.
        """
        found = copy(self)
        found._by_record = True
        return found

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        """Called where something may be limited, see L{llmproxy.middleware.quota.Limit}."""
        rules = self._rules
        plans = request.principal.plans.get(request.route.api.name)
        if plans is None or plans.owner is not rules or rules.varies:
            plans = rules.of(request)
        if not plans.needs_body:
            return self._asked(_UNREAD, plans, request, inner)
        body = request.body
        if type(body) is BytesBody and len(body.content) <= AT_ONCE:
            wants = plain_wants(body.content)
            if wants is not None:
                return self._asked(wants, plans, request, inner)
        return self._not_plain(plans, request, inner)

    def _not_plain(self, plans: Plans, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        body = request.body
        kind, coding = _content_of(request.fields)
        if body is None or body.length == 0 or not _may_be_json(MEDIA_TYPES[kind or b""]):
            size = 0 if body is None or not isinstance(body.length, int) else body.length
            return self._asked(Wants(size=size), plans, request, inner)
        if isinstance(body, BytesBody) and len(body.content) <= AT_ONCE and coding is None:
            return self._asked(finish(wants_of(body.content)), plans, request, inner)
        return self._read(plans, request, inner)

    def _read(self, plans: Plans, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        found: list[Wants] = []

        def judge(content: bytes) -> Steps[str]:
            found.append((yield from wants_of(content)))
            return request.model

        limit: int = request.route.api.policy.max_inspected_body
        return self._inspection.read(limit, judge, request, lambda whole: self._asked(found[0], plans, whole, inner))

    def _asked(self, wants: Wants, plans: Plans, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        """It is known what is asked for, as far as it will be."""
        model, size, out, answers, hides = wants
        record = request.record
        if request.model or not model:
            model = request.model or ASKED[request.target].model
        if model and not record.model:
            # It need not be read again.
            record.model = model
        rules, settling = self._rules, self._settling
        if rules.varies:
            # By now it may have said more of itself.
            plans = rules.of(request)
        plan = plans.get(model) or rules.plan(plans, request, model)
        counters = plan.counters
        if counters is None or (record.part_of or record).counted or plan.priced_by is not settling.tariffs.prices:
            return self._limited(request, inner, plan, wants)
        tokens = money = 0
        if plan.uses and ((request.method == b"POST" and ASKED[request.target].runs) or request.upgrade):
            seen = plan.seen
            if seen is None:
                into, out = settling.learnt.estimate(plan.key, wants)
            else:
                # As that does.
                into = -(-size // BYTES_A_TOKEN)
                if hides:
                    into += seen.hidden.most
                if out is None:
                    out = seen.output.most * answers
            tokens = into + out
            if plan.line is not None:
                once, each_in, each_out = plan.line
                # One at least, so that it is refused where nothing is left.
                money = once + into * each_in + out * each_out or 1 if tokens else 0
            elif plan.has_money:
                money = self._money(plan, Estimate(into, out), plan.tariff, record)
        now = self._seconds()
        if not counters.take(tokens, money, now):
            return self._limited(request, inner, plan, wants)
        held = _new(Held, (settling, plan, wants, tokens, money, now, counters, None))
        if self._by_record and record.held is None and record.part_of is None:
            record.held = held
            return inner(request)
        return settling.go_on(held, None, request, inner)

    def _estimate(self, plan: Plan, request: ApiRequest, wants: Wants) -> Estimate:
        """What a request can use at most."""
        if (request.method == b"POST" and ASKED[request.target].runs) or request.upgrade:
            return self._settling.learnt.estimate(plan.key, wants)
        return NOTHING

    def _money(self, plan: Plan, estimate: Estimate, tariff: Tariff | None, record: Record) -> int:
        """What that costs."""
        into, out = estimate
        if not (into or out):
            return 0
        if tariff is not None:
            # One at least, so that it is refused where nothing is left.
            return tariff.rates(record.started_at).at_most(into, out) or 1
        if plan.provider:
            return 0
        self._without_price(plan)
        return 1

    def _limited(
        self, request: ApiRequest, inner: Responder, plan: Plan, wants: Wants, *, is_other: bool = False
    ) -> Deferred[ApiResponse]:
        """
        @param is_other: the model is asked in place of the caller's already.
        """
        record = request.record
        if (record.part_of or record).counted:
            plan = plan.again(request.route.api)
        if not plan.rules:
            return inner(request)
        tariffs = self._settling.tariffs
        if plan.priced_by is tariffs.prices:
            return self._reserve(plan.tariff, request, inner, plan, wants, is_other)
        tariff = tariffs.tariff(plan.provider, *plan.key) if plan.has_money else None
        # Whether it is a Deferred takes ten times as long to see, as that is a generic class.
        if tariff is None or isinstance(tariff, Tariff):
            plan.bill_by(tariff, tariffs.prices)
            return self._reserve(tariff, request, inner, plan, wants, is_other)
        return tariff.addCallback(self._reserve, request, inner, plan, wants, is_other)

    def _reserve(
        self,
        tariff: Tariff | None,
        request: ApiRequest,
        inner: Responder,
        plan: Plan,
        wants: Wants,
        is_other: bool,
    ) -> Deferred[ApiResponse]:
        settling, estimate = self._settling, NOTHING
        parts: Sequence[Part] | None = plan.fixed
        if parts is None:
            estimate = self._estimate(plan, request, wants)
            money = self._money(plan, estimate, tariff, request.record) if plan.has_money else 0
            parts = plan.parts(sum(estimate), money)
        outcome = settling.store.reserve(parts)
        if type(outcome) is Reservation and plan.hard is None and not self._shows_fields:
            # As nearly always.
            if settling.at_once is not None and (plan.counters is None or not plan.counters.is_current):
                plan.counters = settling.at_once.counted(plan.rules)
            return self._go_on(Held(settling, plan, wants, 0, 0, 0.0, None, outcome), request, inner)
        asking = _Asking(request, inner, plan, wants, is_other)
        if isinstance(outcome, (Reservation, Refusal)):
            return self._decided(asking, estimate, tariff, outcome)
        return self._when_reserved(outcome).addCallback(partial(self._decided, asking, estimate, tariff))

    def _go_on(self, held: Held, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        """It is settled when its record ends, or by callbacks."""
        record = request.record
        if self._by_record and record.held is None and record.part_of is None and not record.sealed:
            record.held = held
            return inner(request)
        return self._settling.go_on(held, None, request, inner)

    def _without_price(self, plan: Plan) -> None:
        api, model = plan.key
        hard = plan.hard
        if hard is not None:
            raise PriceUnknown(
                f"{hard.source} is a hard_budget, which cannot hold for {model or 'a request that names no model'!r}"
                f" of {api}: prices of the configuration can say what it costs"
            )
        self._unpriced(api, model)

    def _when_reserved(self, reserving: Deferred[Reservation | Refusal]) -> Deferred[Reservation | Refusal]:
        """Likewise; where the client leaves meanwhile, what it gets is given back when it comes."""
        waiting: Deferred[Reservation | Refusal] = Deferred()

        def decided(outcome: Reservation | Refusal) -> None:
            if not waiting.called:
                waiting.callback(outcome)
            elif isinstance(outcome, Reservation):
                self._settling.store.give_back(outcome)

        reserving.addCallback(decided)
        return waiting

    def _decided(
        self, asking: _Asking, estimate: Estimate, tariff: Tariff | None, outcome: Reservation | Refusal
    ) -> Deferred[ApiResponse]:
        if isinstance(outcome, Refusal):
            return self._refused(asking, outcome)
        plan, request = asking.plan, asking.request
        hard = None
        if plan.hard is not None and tariff is not None:
            hard = self._hard(asking, estimate, tariff, outcome)
        held = Held(self._settling, plan, asking.wants, 0, 0, 0.0, None, outcome)
        if hard is None and not self._shows_fields:
            return self._go_on(held, request, asking.inner)
        # It is settled before fields say what is left.
        responding = self._settling.go_on(held, hard, request, asking.inner)
        return responding.addCallback(self._with_fields, plan.rules) if self._shows_fields else responding

    def _refused(self, asking: _Asking, refusal: Refusal) -> Deferred[ApiResponse]:
        other = "" if asking.is_other else other_model(refusal.rule, asking.plan.key[1])
        if refusal.unavailable or not other or not self._may_ask(asking, other):
            raise error_of(refusal, self._seconds())
        return self._downgraded(asking, other)

    def _hard(self, asking: _Asking, estimate: Estimate, tariff: Tariff, reserved: Reservation) -> HardBudget | None:
        """What cuts a stream where a hard budget is met; C{None} where the model is not billed by tokens."""
        if not any(estimate) or at_most(tariff, estimate, self._seconds()) is None:
            return None
        store, record = self._settling.store, asking.request.record
        return HardBudget(store, reserved, tariff, estimate, asking.wants.output, record, self._seconds)

    def _may_ask(self, asking: _Asking, other: str) -> bool:
        """Whether the caller may use another model, and the one place that names its own can be changed."""
        request, model = asking.request, asking.plan.key[1]
        if asking.wants.model != model or ASKED[request.target].model or first(request.fields, b"content-encoding"):
            return False
        whitelist = self._allowing.policy_for(request).whitelist.at(request.route.path)
        return whitelist is None or whitelist.model is None or whitelist.model.allows(other)

    def _downgraded(self, asking: _Asking, other: str) -> Deferred[ApiResponse]:
        request, asked = asking.request, asking.plan.key[1]
        # Of members of the same name each: nobody knows which of them a provider reads.
        name_in_body(request, lambda name: other)
        request.model = other
        plan = self._rules.plan(self._rules.of(request), request, other)
        responding = self._limited(request, asking.inner, plan, asking.wants, is_other=True)
        return responding.addBoth(_downgraded, request.record, asked, other)

    def _with_fields(self, response: ApiResponse, rules: tuple[Rule, ...]) -> Deferred[ApiResponse]:
        """What is left, beside the answer; where that cannot be found out, and where upstream says its own, without."""

        def known(states: Sequence[Left]) -> ApiResponse:
            if all(LOWER[name] not in _RATE_LIMIT for name, _ in response.fields):
                response.fields = [*response.fields, *rate_limit_fields(states)]
            return response

        def unknown(reason: Failure) -> ApiResponse:
            if reason.check(CancelledError):
                # The client has left meanwhile.
                if response.body is not None:
                    response.body.stopProducing()
                reason.raiseException()
            return response

        return self._settling.store.left(rules).addCallbacks(known, unknown)


def _content_of(fields: Fields) -> tuple[bytes | None, bytes | None]:
    """The first C{Content-Type} and the first C{Content-Encoding}."""
    kind = coding = None
    lower = LOWER
    for name, value in fields:
        name = lower[name]
        if name == b"content-type" and kind is None:
            kind = value
        elif name == b"content-encoding" and coding is None:
            coding = value
    return kind, coding


def _may_be_json(media_type: bytes) -> bool:
    """Some servers read JSON whatever it is said to be."""
    return media_type.partition(b"/")[0] not in _NOT_JSON and media_type not in _NO_JSON


def _downgraded(outcome: ApiResponse | Failure, record: Record, asked: str, served: str) -> ApiResponse | Failure:
    """The answer of another model than the caller's says so, and is not stored as that of the caller's."""
    if record.attempts:
        record.details = {**(record.details or {}), "downgraded": {"asked": asked, "served": served}}
    if isinstance(outcome, Failure):
        return outcome
    models = f"asked={quote(asked, _IN_NAMES)}, served={quote(served, _IN_NAMES)}".encode("ascii")
    kept = without(outcome.fields, _STORING)
    outcome.fields = [*kept, (b"X-LLMProxy-Model", models), (b"Cache-Control", b"no-store")]
    return outcome


class _Asking:
    """
    One request whose limits are known.

    @ivar is_other: another model is asked in place of the caller's.
    """

    __slots__ = ("inner", "is_other", "plan", "request", "wants")

    def __init__(self, request: ApiRequest, inner: Responder, plan: Plan, wants: Wants, is_other: bool) -> None:
        self.is_other = is_other
        self.request = request
        self.inner = inner
        self.plan = plan
        self.wants = wants
