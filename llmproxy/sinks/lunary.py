"""The sink C{lunary}: runs of exchanges for Lunary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..core.events.vendors import lunary, reference
from ..core.events.vendors.batches import split, written
from ..core.events.vendors.reading import is_exchange
from ..interfaces.events import IEventSink
from .httppost import Answer, ask
from .sinksettings import SinkSettings

if TYPE_CHECKING:
    from ..core.events import Event
    from ..core.events.receipts import Receipt
    from .registry import SinkTools


MOST_ANSWERED = 4 * 1024 * 1024
"""Bytes of an answer that are read: it has a line for each event."""


@implementer(IEventSink)
class Lunary:
    """
    Settings: C{api_key}, the project's public or private key; C{url}; C{schema}, C{legacy} for a list of
    what the reference's dispatcher sends.

    What is no exchange is passed over.
    """

    def __init__(self, settings: Mapping[str, Any], tools: SinkTools) -> None:
        read = SinkSettings(settings)
        url, key = read.url("url", lunary.URL), read.required("api_key")
        self._legacy = read.one_of("schema", "vendor", "vendor", "legacy") == "legacy"
        read.done()
        if tools.masking is not None:
            tools.masking.learn([key])
        self._agent, self._url = tools.agent, url
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def deliver(self, batch: Sequence[Event]) -> Deferred[Receipt | None]:
        return Deferred.fromCoroutine(self._deliver(batch))

    def close(self) -> Deferred[None]:
        return succeed(None)

    async def _deliver(self, batch: Sequence[Event]) -> Receipt | None:
        receipt: Receipt | None = None
        items = [self._item(event) for event in batch]
        for part in split([len(item) + 1 for item in items], lunary.MOST_BYTES):
            wanted = [item for item in items[part] if item]
            if wanted:
                answer = await ask(self._agent, self._url, self._body(wanted), self._headers, most=MOST_ANSWERED)
                receipt = self._judged(answer, batch[part], part.start)
        return receipt

    def _item(self, event: Event) -> bytes:
        if not is_exchange(event):
            return b""
        return written(reference.encode_payload if self._legacy else lunary.encode_events, event, lunary.MOST_BYTES)

    def _body(self, items: Sequence[bytes]) -> bytes:
        return b"[%b]" % b",".join(items) if self._legacy else lunary.body_of(items)

    def _judged(self, answer: Answer, part: Sequence[Event], before: int) -> Receipt:
        if not answer.is_success:
            raise answer.refusal(before)
        if self._legacy:
            return answer.receipt
        judgement = lunary.judge(part, answer.body)
        return judgement.behind(before).settle(answer.receipt)
