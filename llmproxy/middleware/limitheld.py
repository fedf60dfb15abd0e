"""Reservations of running requests, each settled or given back when its request has ended, however it ends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from twisted.internet.defer import CancelledError, Deferred

from ..bodies import BytesBody, Tap, at_hand, is_answered
from ..composition import NO_KEYWORDS
from ..core.limits.verdicts import Reservation
from ..errors import ClientLeft, ProjectDeactivated, TokenRevoked, UpstreamTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.python.failure import Failure

    from ..core.limits.counterset import Counted
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

_CODES = frozenset(each.code for each in (UpstreamTimeout, TokenRevoked, ProjectDeactivated))
_ENDINGS = frozenset({"client_left", "revoked", "shutdown"})
"""The same as records have them: the errors that were answered, and the ends of what was not."""


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

    def counted(self, rules: Sequence[Rule]) -> Counted | None:
        """What counts requests that these hold for; C{None} where that is not known yet."""


class Held(NamedTuple):
    """
    What a request that goes on has reserved.

    @ivar tokens: that were taken at once, as the money; C{at} is when.
    @ivar counted: where they were.
    @ivar reservation: the store's, in place of all these; C{None} where it was taken at once.
    """

    settling: Settling
    plan: Plan
    wants: Wants
    tokens: int
    money: int
    at: float
    counted: Counted | None
    reservation: Reservation | None = None

    def end(self, record: Record) -> None:
        """See L{llmproxy.record.Held}."""
        settling, plan, _, _, _, _, counted, _ = self
        usage = record.usage
        if record.attempts:
            if counted is not None and plan.is_taken:
                # It was sent: nothing can be given back any more.
                return
            if usage is not None and usage.output_tokens is not None:
                # As nearly always.
                settling.settle_known(self, record, usage)
                return
        settling.end(self, record, usage, may_go_on=_may_go_on(record))

    def as_reservation(self) -> Reservation:
        """What was taken at once, as the store has it."""
        if self.reservation is not None:
            return self.reservation
        assert self.counted is not None
        return self.counted.reservation(self.plan.parts(self.tokens, self.money), self.at)


def _may_go_on(record: Record) -> bool:
    """Whether it ended before there was an answer, and its provider may work on."""
    if record.upstream_status:
        return False
    return record.error_code in _CODES if record.error_code else record.ended in _ENDINGS


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

    def go_on(
        self, held: Held, hard: HardBudget | None, request: ApiRequest, inner: Responder
    ) -> Deferred[ApiResponse]:
        """It is settled or given back when it has ended, once."""
        record = request.record
        if hard is not None:
            hard.ask(request)
        try:
            responding = inner(request)
        except Exception:
            self._end(None, held, record, hard)
            raise
        if responding.called and is_answered(responding):
            self._end(None, held, record, hard)
            return responding
        if held.plan.is_taken and record.attempts and held.counted is not None:
            # It was sent: nothing can be given back any more.
            return responding
        args = (held, record, hard)
        return responding.addCallbacks(self._head, self._failed, args, NO_KEYWORDS, args, NO_KEYWORDS)

    def _head(self, response: ApiResponse, held: Held, record: Record, hard: HardBudget | None) -> ApiResponse:
        body = response.body
        if body is None or type(body) is BytesBody or at_hand(body):
            self._end(None, held, record, hard)
        else:
            body = body if hard is None else hard.watch(response, body)
            response.body = Tap(body, None, partial(self._end, held=held, record=record, hard=hard))
        return response

    def _failed(self, reason: Failure, held: Held, record: Record, hard: HardBudget | None) -> Failure:
        if hard is not None:
            hard.end(is_settled=False)
        self.end(held, record, None, may_go_on=reason.check(*_MAY_GO_ON) is not None)
        return reason

    def _end(self, reason: Failure | None, held: Held, record: Record, hard: HardBudget | None) -> None:
        usage = record.usage
        if hard is not None:
            hard.end(is_settled=usage is not None and usage.is_known and not record.truncated)
        self.end(held, record, usage)

    def end(self, held: Held, record: Record, usage: Usage | None, may_go_on: bool = False) -> None:
        """
        It has ended, whatever is known of it.

        @param may_go_on: there is no answer, and its provider may work on all the same.
        """
        if not record.attempts:
            self.store.give_back(held.as_reservation())
        elif usage is None or not usage.is_known:
            is_unread = not held.plan.is_metered and 200 <= record.upstream_status < 300
            unknown = None if usage is not None or may_go_on or is_unread else 0
            self._settle(held, record, unknown, unknown)
        else:
            self.settle_known(held, record, usage)

    def settle_known(self, held: Held, record: Record, usage: Usage) -> None:
        """It has been sent, and used this."""
        _, plan, wants, tokens_held, money_held, at, counted, _ = held
        into, out = usage.input_tokens, usage.output_tokens
        tokens = (into or 0) + (out or 0)
        if plan.uses and not record.truncated:
            seen = plan.seen
            if seen is None:
                plan.seen = self.learnt.learn(plan.key, wants, into, out)
            else:
                seen.add(wants, into, out)
        money = self.tariffs.spent(record) if plan.has_money else 0
        if type(money) is int:
            at_once = self.at_once
            if counted is not None and at_once is not None and not record.truncated:
                # As nearly always.
                crossed = counted.settle(tokens_held, money_held, at, tokens, money, at_once.seconds())
                if crossed:
                    for each in crossed:
                        at_once.crossed(each)
                if crossed is not None:
                    return
        elif isinstance(money, Deferred):
            money.addCallback(lambda known: self._settle(held, record, tokens, known))
            return
        self._settle(held, record, tokens, money)

    def _settle(self, held: Held, record: Record, tokens: int | None, money: int | None) -> None:
        reserved = held.as_reservation()
        used = held.plan.used(tokens, money)
        if record.truncated:
            # What was seen until then is the least.
            pairs = zip(used, reserved.parts, strict=True)
            used = [None if amount is None else max(amount, part.amount) for amount, part in pairs]
        self.store.settle(reserved, used)
