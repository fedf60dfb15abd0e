"""Reservations of running requests, each settled or given back when its request has ended, however it ends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import CancelledError, Deferred

from ..bodies import BytesBody, Tap, at_hand, is_answered
from ..composition import NO_KEYWORDS
from ..core.limits.counterset import Taken
from ..core.limits.verdicts import Reservation
from ..errors import ClientLeft, ProjectDeactivated, TokenRevoked, UpstreamTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.python.failure import Failure

    from ..core.limits.counterset import CounterSet
    from ..core.limits.reservation import Learnt, Wants
    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Crossed
    from ..core.pricing.tariff import Tariff
    from ..interfaces import ILimitStore, Responder
    from ..message import ApiRequest, ApiResponse, Record
    from ..usage import Usage
    from .limitcut import HardBudget
    from .limitrules import Plan

_MAY_GO_ON = (CancelledError, ClientLeft, UpstreamTimeout, TokenRevoked, ProjectDeactivated)
"""Ends after which a provider may work on, and ask money for it: nobody else is there to say how much it was."""


class Tariffs(Protocol):
    """What models cost."""

    @property
    def prices(self) -> object:
        """Where that stands; another object when prices change."""

    def tariff(self, provider: str, api: str, model: str) -> Tariff | Deferred[Tariff | None] | None:
        """
        By what an answer is billed; C{None} where no price is known. The Deferred never fails.

        @param provider: C{""} for that of the API.
        """

    def spent(self, record: Record) -> int | Deferred[int | None] | None:
        """
        What an exchange has cost that has ended, in 10^-12 USD, rounded up; C{None} where its usage does not say what
        it is billed by, and 0 where no price is known. The Deferred never fails.
        """


class AtOnce(Protocol):
    """Counters in memory, for requests that fit in all of their limits."""

    @property
    def seconds(self) -> Callable[[], float]:
        """Since the epoch."""

    @property
    def crossed(self) -> Callable[[Crossed], object]:
        """Takes shares of budgets that have been used."""

    def counted(self, rules: Sequence[Rule]) -> CounterSet | None:
        """What counts requests that these hold for; C{None} where that is not known yet."""


Held = tuple["Plan", "Reservation | Taken", "Record", "Wants", "HardBudget | None"]
"""
A request that goes on with what it has reserved: its limits, that, its record, what it asks for, and what cuts it, if a
hard budget is met. Callbacks take it apart: an object would take as long as all that is done with it.
"""


class Settling:
    """
    Where requests are settled.

    @param learnt: what models use.
    @param at_once: where the store counts in memory; C{None} where it does not.
    """

    __slots__ = ("at_once", "learnt", "store", "tariffs")

    def __init__(self, store: ILimitStore, tariffs: Tariffs, learnt: Learnt, at_once: AtOnce | None = None) -> None:
        self.store = store
        self.tariffs = tariffs
        self.learnt = learnt
        self.at_once = at_once

    def go_on(self, held: Held, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        """It is settled or given back when it has ended, once."""
        plan, _, record, _, hard = held
        if hard is not None:
            hard.ask(request)
        try:
            responding = inner(request)
        except Exception:
            self._end(held, None)
            raise
        if responding.called and is_answered(responding):
            self._end(held, record.usage)
            return responding
        if plan.is_taken and record.attempts and self.at_once is not None:
            # It was sent: nothing can be given back any more.
            return responding
        return responding.addCallbacks(self._head, self._failed, held, NO_KEYWORDS, held, NO_KEYWORDS)

    def _head(
        self,
        response: ApiResponse,
        plan: Plan,
        reserved: Reservation | Taken,
        record: Record,
        wants: Wants,
        hard: HardBudget | None,
    ) -> ApiResponse:
        body = response.body
        if body is None or type(body) is BytesBody or at_hand(body):
            usage = record.usage
            if usage is not None and usage.output_tokens is not None and record.attempts and hard is None:
                # As nearly always.
                self._settle_known(plan, reserved, record, wants, usage)
            else:
                self._end((plan, reserved, record, wants, hard), usage)
        else:
            body = body if hard is None else hard.watch(response, body)
            response.body = Tap(body, None, partial(self._ended, (plan, reserved, record, wants, hard)))
        return response

    def _ended(self, held: Held, reason: Failure | None) -> None:
        self._end(held, held[2].usage)

    def _failed(self, reason: Failure, *held: Any) -> Failure:
        self._end(held, None, may_go_on=reason.check(*_MAY_GO_ON) is not None)
        return reason

    def _end(self, held: Held, usage: Usage | None, may_go_on: bool = False) -> None:
        plan, reserved, record, wants, hard = held
        is_known = usage is not None and usage.is_known
        if hard is not None:
            hard.end(is_settled=is_known and not record.truncated)
        if not record.attempts:
            self.store.give_back(_reservation(plan, reserved))
        elif usage is None or not is_known:
            is_unread = not plan.is_metered and 200 <= record.upstream_status < 300
            unknown = None if usage is not None or may_go_on or is_unread else 0
            self._settle(held, unknown, unknown)
        else:
            self._settle_known(plan, reserved, record, wants, usage)

    def _settle_known(
        self, plan: Plan, reserved: Reservation | Taken, record: Record, wants: Wants, usage: Usage
    ) -> None:
        into, out = usage.input_tokens, usage.output_tokens
        tokens = (into or 0) + (out or 0)
        if plan.uses and not record.truncated:
            self.learnt.learn(plan.key, wants, into, out)
        money = self.tariffs.spent(record) if plan.has_money else 0
        if type(money) is int:
            counters, at_once = plan.counters, self.at_once
            if type(reserved) is Taken and counters is not None and at_once is not None and not record.truncated:
                # As nearly always.
                crossed = counters.settle(reserved, tokens, money, at_once.seconds())
                if crossed:
                    for each in crossed:
                        at_once.crossed(each)
                if crossed is not None:
                    return
        elif isinstance(money, Deferred):
            money.addCallback(lambda known: self._settle((plan, reserved, record, wants, None), tokens, known))
            return
        self._settle((plan, reserved, record, wants, None), tokens, money)

    def _settle(self, held: Held, tokens: int | None, money: int | None) -> None:
        plan, reserved, record, _, _ = held
        reserved = _reservation(plan, reserved)
        used = plan.used(tokens, money)
        if record.truncated:
            # What was seen until then is the least.
            pairs = zip(used, reserved.parts, strict=True)
            used = [None if amount is None else max(amount, part.amount) for amount, part in pairs]
        self.store.settle(reserved, used)


def _reservation(plan: Plan, reserved: Reservation | Taken) -> Reservation:
    """What was taken at once, as the store has it."""
    if isinstance(reserved, Reservation):
        return reserved
    return Reservation(tuple(plan.parts(reserved.tokens, reserved.money)), reserved.at)
