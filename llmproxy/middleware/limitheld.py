"""Reservations of running requests, each settled or given back when its request has ended, however it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred

from ..bodies import BytesBody, Tap, at_hand, is_answered
from ..composition import NO_KEYWORDS
from ..errors import ClientLeft, ProjectDeactivated, TokenRevoked, UpstreamTimeout

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..core.limits.reservation import Learnt, Wants
    from ..core.limits.verdicts import Reservation
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


@frozen(eq=False)
class Settling:
    """
    Where requests are settled.

    @ivar learnt: what models use.
    """

    store: ILimitStore
    tariffs: Tariffs
    learnt: Learnt


class Held:
    """
    One request that goes on with what it has reserved.

    @param hard: cuts it; C{None} where no hard budget is met.
    """

    __slots__ = ("_hard", "_plan", "_record", "_reserved", "_settling", "_wants")

    def __init__(
        self,
        settling: Settling,
        plan: Plan,
        reserved: Reservation,
        record: Record,
        wants: Wants,
        hard: HardBudget | None = None,
    ) -> None:
        self._hard = hard
        self._settling = settling
        self._plan = plan
        self._reserved: Reservation | None = reserved
        self._record = record
        self._wants = wants

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        if self._hard is not None:
            self._hard.ask(request)
        try:
            responding = inner(request)
        except Exception:
            self._end(None)
            raise
        if responding.called and is_answered(responding):
            self._end(self._record.usage)
            return responding
        return responding.addCallbacks(self._head, self._failed, (), NO_KEYWORDS, (), NO_KEYWORDS)

    def _head(self, response: ApiResponse) -> ApiResponse:
        body = response.body
        if body is None or type(body) is BytesBody or at_hand(body):
            self._end(self._record.usage)
        else:
            hard = self._hard
            response.body = Tap(body if hard is None else hard.watch(response, body), None, self._ended)
        return response

    def _ended(self, reason: Failure | None) -> None:
        self._end(self._record.usage)

    def _failed(self, reason: Failure) -> Failure:
        self._end(None, may_go_on=reason.check(*_MAY_GO_ON) is not None)
        return reason

    def _end(self, usage: Usage | None, may_go_on: bool = False) -> None:
        reserved, self._reserved = self._reserved, None
        if reserved is None:
            return
        record = self._record
        # The first says it of nearly all.
        is_known = usage is not None and (usage.output_tokens is not None or usage.is_known)
        if self._hard is not None:
            self._hard.end(is_settled=is_known and not record.truncated)
        if not record.attempts:
            self._settling.store.give_back(reserved)
        elif usage is not None and is_known:
            self._settle_known(reserved, usage)
        else:
            unknown = None if usage is not None or may_go_on or self._is_unread() else 0
            self._settle(reserved, unknown, unknown)

    def _is_unread(self) -> bool:
        """An answer that uses something, and that nobody reads."""
        return not self._plan.is_metered and 200 <= self._record.upstream_status < 300

    def _settle_known(self, reserved: Reservation, usage: Usage) -> None:
        plan, settling, record = self._plan, self._settling, self._record
        if not plan.uses:
            settling.store.settle(reserved, plan.nothing)
            return
        into, out = usage.input_tokens, usage.output_tokens
        tokens = (into or 0) + (out or 0)
        if not record.truncated:
            settling.learnt.learn(plan.key, self._wants, into, out)
        money = settling.tariffs.spent(record) if plan.has_money else 0
        if money is None or type(money) is int:
            self._settle(reserved, tokens, money)
        elif isinstance(money, Deferred):
            money.addCallback(lambda known: self._settle(reserved, tokens, known))

    def _settle(self, reserved: Reservation, tokens: int | None, money: int | None) -> None:
        amounts = self._plan.used(tokens, money)
        if self._record.truncated:
            # What was seen until then is the least.
            pairs = zip(amounts, reserved.parts, strict=True)
            amounts = [None if amount is None else max(amount, part.amount) for amount, part in pairs]
        self._settling.store.settle(reserved, amounts)
