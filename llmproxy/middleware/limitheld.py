"""Reservations of running requests, each settled or given back when its request has ended, however it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import frozen
from twisted.internet.defer import CancelledError

from ..bodies import Tap, at_hand, is_answered
from ..composition import NO_KEYWORDS
from ..core.limits.pricing import picos
from ..core.pricing.tariff import Tariff
from ..errors import ClientLeft, ProjectDeactivated, TokenRevoked, UpstreamTimeout

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from ..core.limits.reservation import Learnt, Wants
    from ..core.limits.verdicts import Reservation
    from ..interfaces import ILimitStore, Responder
    from ..message import ApiRequest, ApiResponse
    from ..usage import Usage
    from .limitcut import HardBudget

_MAY_GO_ON = (CancelledError, ClientLeft, UpstreamTimeout, TokenRevoked, ProjectDeactivated)
"""Ends after which a provider may work on, and ask money for it: nobody else is there to say how much it was."""


class Tariffs(Protocol):
    """What models cost."""

    def tariff(self, provider: str, api: str, model: str) -> Tariff | Deferred[Tariff | None] | None:
        """
        By what an answer is billed; C{None} where no price is known. The Deferred never fails.

        @param provider: C{""} for that of the API.
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

    @param model: as the caller names it.
    @param hard: cuts it; C{None} where no hard budget is met.
    """

    __slots__ = ("_api", "_hard", "_model", "_record", "_reserved", "_settling", "_wants", "metered")

    def __init__(
        self,
        settling: Settling,
        reserved: Reservation,
        request: ApiRequest,
        model: str,
        wants: Wants,
        hard: HardBudget | None = None,
    ) -> None:
        self._hard = hard
        self._settling = settling
        self._reserved: Reservation | None = reserved
        self._record = request.record
        self._api = request.route.api.name
        self._model = model
        self._wants = wants
        self.metered = request.route.api.settings.meter is not None

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        if self._hard is not None:
            self._hard.ask(request)
        try:
            responding = inner(request)
        except Exception:
            self._end(None)
            raise
        if is_answered(responding):
            self._end(self._record.usage)
            return responding
        return responding.addCallbacks(self._head, self._failed, errbackKeywords=NO_KEYWORDS)

    def _head(self, response: ApiResponse) -> ApiResponse:
        body = response.body
        if body is None or at_hand(body):
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
        if self._hard is not None:
            self._hard.end(is_settled=usage is not None and usage.is_known and not self._record.truncated)
        if not self._record.attempts:
            self._settling.store.give_back(reserved)
        elif usage is None or not usage.is_known:
            unknown = None if usage is not None or may_go_on or self._is_unread() else 0
            self._settle(reserved, unknown, unknown)
        else:
            self._settle_known(reserved, usage)

    def _is_unread(self) -> bool:
        """An answer that uses something, and that nobody reads."""
        return not self.metered and 200 <= self._record.upstream_status < 300

    def _settle_known(self, reserved: Reservation, usage: Usage) -> None:
        record, settling = self._record, self._settling
        kinds = {part.rule.kind for part in reserved.parts}
        if not record.truncated and ("tokens" in kinds or "money" in kinds):
            # For other limits the body was not read: how many answers it wants is not known.
            learnt = (usage.input_tokens, usage.output_tokens)
            settling.learnt.learn((self._api, self._model), self._wants, *learnt)
        if "money" not in kinds:
            self._settle(reserved, (usage.input_tokens or 0) + (usage.output_tokens or 0), 0)
            return
        found = settling.tariffs.tariff(record.provider, self._api, usage.served_model or self._model)
        if found is None or isinstance(found, Tariff):
            self._settle_priced(found, reserved, usage)
        else:
            found.addCallback(self._settle_priced, reserved, usage)

    def _settle_priced(self, tariff: Tariff | None, reserved: Reservation, usage: Usage) -> None:
        money = 0 if tariff is None else picos(tariff, usage, self._record.started_at)
        self._settle(reserved, (usage.input_tokens or 0) + (usage.output_tokens or 0), money)

    def _settle(self, reserved: Reservation, tokens: int | None, money: int | None) -> None:
        used: dict[str, int | None] = {"requests": None, "parallel": None, "tokens": tokens, "money": money}
        amounts = [used[part.rule.kind] for part in reserved.parts]
        if self._record.truncated:
            # What was seen until then is the least.
            pairs = zip(amounts, reserved.parts, strict=True)
            amounts = [None if amount is None else max(amount, part.amount) for amount, part in pairs]
        self._settling.store.settle(reserved, amounts)
