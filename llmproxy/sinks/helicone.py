"""The sink C{helicone}: logged requests for Helicone, one for each exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred, succeed
from zope.interface import implementer

from ..core.events.receipts import DeliveryFailure, PassingFailure, PermanentFailure
from ..core.events.vendors import helicone, reference
from ..core.events.vendors.batches import written
from ..core.events.vendors.reading import is_exchange
from ..interfaces.events import IEventSink
from .httppost import ask
from .sinksettings import SinkSettings

if TYPE_CHECKING:
    from ..core.events import Event
    from ..core.events.receipts import Receipt
    from .registry import SinkTools


@implementer(IEventSink)
class Helicone:
    """
    Settings: C{api_key}; C{url}, another one for another region; C{schema}, C{legacy} for what the
    reference sends.

    One request after the other: what was taken before a failure is not sent again. What is no exchange is passed over.
    """

    def __init__(self, settings: Mapping[str, Any], tools: SinkTools) -> None:
        read = SinkSettings(settings)
        url, key = read.url("url", helicone.URL), read.required("api_key")
        self._legacy = read.one_of("schema", "vendor", "vendor", "legacy") == "legacy"
        read.done()
        if tools.masking is not None:
            tools.masking.learn([key])
        self._agent, self._url = tools.agent, url
        self._broken = ("", 0)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def deliver(self, batch: Sequence[Event]) -> Deferred[Receipt | None]:
        return Deferred.fromCoroutine(self._deliver(batch))

    def close(self) -> Deferred[None]:
        return succeed(None)

    async def _deliver(self, batch: Sequence[Event]) -> Receipt | None:
        receipt: Receipt | None = None
        for delivered, event in enumerate(batch):
            if is_exchange(event):
                receipt = await self._send(event, delivered)
        return receipt

    async def _send(self, event: Event, delivered: int) -> Receipt:
        body = written(self._encoded, event, helicone.MOST_BYTES)
        try:
            answer = await ask(self._agent, self._url, body, self._headers)
        except DeliveryFailure as failure:
            failure.delivered = delivered
            raise
        except CancelledError:
            # Those before it are there: without this the same ones would be sent again and again where all of them
            # take longer than an attempt may.
            raise PassingFailure("no answer in time", delivered=delivered) from None
        if answer.is_success:
            return answer.receipt
        if self._is_broken(event, answer.status):
            why = f"answered {answer.receipt}, {helicone.MOST_BROKEN} times"
            raise PermanentFailure(why, delivered=delivered, receipt=answer.receipt)
        raise answer.refusal(delivered)

    def _is_broken(self, event: Event, status: int) -> bool:
        """Whether this event was answered with 500 again and again."""
        if status != helicone.BROKEN:
            return False
        self._broken = (event.id, self._broken[1] + 1 if self._broken[0] == event.id else 1)
        return self._broken[1] >= helicone.MOST_BROKEN

    def _encoded(self, event: Event) -> bytes:
        if self._legacy:
            return msgspec.json.encode(reference.helicone_of(event), enc_hook=str)
        return helicone.encode_one(event)
