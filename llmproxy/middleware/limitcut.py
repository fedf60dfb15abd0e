"""Streams that a hard budget cuts, when what was reserved for them and what is left of it are used up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..bodies import Tap
from ..core.fields import first, values, without
from ..core.limits.pricing import at_most
from ..core.limits.refusals import error_of
from ..core.limits.reservation import Estimate
from ..core.limits.spending import WrittenText, output_within
from ..core.limits.verdicts import Part, Refusal, Reservation
from ..providers.readers import STREAMS
from ..providers.usagereader import JSON, media_type_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IConsumer
    from twisted.web.iweb import IBodyProducer

    from ..core.pricing.tariff import Tariff
    from ..interfaces import ILimitStore
    from ..message import ApiRequest, ApiResponse, Record

_CODING = frozenset({b"accept-encoding"})
_BINARY = b"application/vnd.amazon.eventstream"

_SHARE = 8
"""Of what was reserved at first, so much more is reserved at once, as long as it is there."""


class HardBudget:
    """
    The money of one request that meets a hard budget: what it costs beyond its reservation is reserved as it comes, so
    that requests that run at once do not spend the same.

    @param reserved: has a part of a hard budget.
    @param most: tokens of output that the request allows; C{None} for any number.
    @param seconds: since the epoch.
    """

    def __init__(
        self,
        store: ILimitStore,
        reserved: Reservation,
        tariff: Tariff,
        estimate: Estimate,
        most: int | None,
        record: Record,
        seconds: Callable[[], float],
    ) -> None:
        self._store = store
        parts = [part for part in reserved.parts if part.rule.kind == "money" and part.rule.hard]
        self._rules = [part.rule for part in parts]
        self._amount = self._first = parts[0].amount
        self._tariff = tariff
        self._input = estimate.input_tokens
        self._most = most
        self._record = record
        self._seconds = seconds
        self._at = seconds()
        self._more: list[Reservation] = []
        self._has_ended = self._is_asking = False
        self._wanted = 0
        self._streams = STREAMS
        self.within = output_within(tariff, self._input, self._amount, self._at)
        self.cut: Callable[[Exception], object] | None = None

    def ask(self, request: ApiRequest) -> None:
        """Have an answer that can be read."""
        # Gemini's comes as one array of JSON.
        self._streams = STREAMS | {JSON} if b":stream" in request.target else STREAMS
        request.fields = [*without(request.fields, _CODING), (b"Accept-Encoding", b"identity")]

    def watch(self, response: ApiResponse, body: IBodyProducer) -> IBodyProducer:
        """The body of an answer, which is cut if it is a stream that costs too much."""
        media_type = media_type_of(first(response.fields, b"content-type") or b"")
        if response.upgraded is not None or media_type not in self._streams or media_type == _BINARY:
            return body
        coded = {value.strip().lower() for value in values(response.fields, b"content-encoding")} - {b"", b"identity"}
        return _Cuttable(body, self, WrittenText(bool(coded)))

    def reached(self, tokens: int) -> None:
        """The stream has had so many tokens, more than C{within}."""
        if self._most is not None:
            tokens = min(tokens, self._most)
        if tokens > self.within and not self._has_ended:
            self._wanted = (at_most(self._tariff, Estimate(self._input, tokens), self._at) or 0) - self._amount
            if not self._is_asking and self._wanted > 0:
                self._reserve(max(self._wanted, self._first // _SHARE))

    def end(self, *, is_settled: bool) -> None:
        """
        The request has ended.

        @param is_settled: its first reservation was settled with all that it used; else what was reserved is used.
        """
        self._has_ended, self.cut = True, None
        more, self._more = self._more, []
        for each in more:
            if is_settled:
                self._store.give_back(each)
            else:
                self._store.settle(each, [None] * len(each.parts))

    def _reserve(self, amount: int) -> None:
        self._is_asking = True
        outcome = self._store.reserve([Part(rule, amount) for rule in self._rules])
        if isinstance(outcome, Deferred):
            outcome.addCallback(self._reserved, amount)
        else:
            self._reserved(outcome, amount)

    def _reserved(self, outcome: Reservation | Refusal, amount: int) -> None:
        self._is_asking = False
        if isinstance(outcome, Reservation):
            if self._has_ended:
                self._store.give_back(outcome)
                return
            self._more.append(outcome)
            self._amount += amount
            self.within = output_within(self._tariff, self._input, self._amount, self._at)
        elif amount > self._wanted and not self._has_ended:
            self._reserve(self._wanted)
        elif self.cut is not None:
            error = error_of(outcome, self._seconds())
            for record in (self._record, self._record.part_of):
                if record is not None:
                    record.error_code = error.code
            self.cut(error)


class _Cuttable(Tap):
    """A stream that ends with an error when its budget is used up; the piece that is too much is not passed on."""

    def __init__(self, body: IBodyProducer, budget: HardBudget, text: WrittenText) -> None:
        super().__init__(body, self._count)
        self._budget = budget
        self._text = text
        self._done: Deferred[None] | None = None
        self._is_cut = False

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._budget.cut = self._end_with
        producing: list[Deferred[None]] = []
        done: Deferred[None] = Deferred(lambda _: producing[0].cancel())
        self._done = done
        producing.append(super().startProducing(consumer))
        producing[0].addBoth(self._over)
        return done

    def write(self, data: bytes) -> None:
        if self._is_cut:
            return
        self._count(data)
        if not self._is_cut and self._consumer is not None:
            self._consumer.write(data)

    def _count(self, data: bytes) -> None:
        self._text.feed(data)
        if self._text.tokens > self._budget.within:
            self._budget.reached(self._text.tokens)

    def _end_with(self, error: Exception) -> None:
        self._is_cut = True
        done, self._done = self._done, None
        # First those further in, who note what they have seen.
        self._body.stopProducing()
        self._consumer = None
        if done is not None:
            done.errback(Failure(error))

    def _over(self, outcome: Failure | None) -> None:
        done, self._done = self._done, None
        self._consumer = None
        if done is not None and not done.called:
            done.callback(outcome)
