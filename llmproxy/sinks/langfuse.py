"""The sink C{langfuse}: traces and generations of exchanges for Langfuse."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..core.events.vendors import langfuse
from ..core.events.vendors.batches import split, written
from ..core.events.vendors.reading import is_exchange
from ..interfaces.events import IEventSink
from .httppost import ask
from .sinksettings import SinkSettings

if TYPE_CHECKING:
    from ..core.events import Event
    from ..core.events.receipts import Receipt
    from .registry import SinkTools

URL = "https://cloud.langfuse.com"

MOST_ANSWERED = 4 * 1024 * 1024
"""Bytes of an answer that are read: it tells of each item."""

_ENVIRONMENT = re.compile(r"(?!langfuse)[a-z0-9_-]{1,40}")
"""As Langfuse takes them: U{https://langfuse.com/docs/observability/features/environments}, read 2026-11-30."""


@implementer(IEventSink)
class Langfuse:
    """
    Settings: C{public_key}, C{secret_key}; C{url}, the host, C{environment} and C{release} of all traces.

    What is no exchange is passed over.
    """

    def __init__(self, settings: Mapping[str, Any], tools: SinkTools) -> None:
        read = SinkSettings(settings)
        url = read.url("url", URL).rstrip("/").removesuffix(langfuse.PATH)
        public, secret = read.required("public_key"), read.required("secret_key")
        self._environment, self._release = read.text("environment", ""), read.text("release", "")
        if self._environment and not _ENVIRONMENT.fullmatch(self._environment):
            read.problem("environment", "expected up to 40 of a-z, 0-9, - and _, and not beginning with langfuse")
        read.done()
        login = base64.b64encode(f"{public}:{secret}".encode()).decode()
        if tools.masking is not None:
            tools.masking.learn([secret, login])
        self._agent, self._url = tools.agent, url + langfuse.PATH
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}

    def deliver(self, batch: Sequence[Event]) -> Deferred[Receipt | None]:
        return Deferred.fromCoroutine(self._deliver(batch))

    def close(self) -> Deferred[None]:
        return succeed(None)

    async def _deliver(self, batch: Sequence[Event]) -> Receipt | None:
        receipt: Receipt | None = None
        items = [self._items(event) for event in batch]
        for part in split([len(item) + 1 for item in items], langfuse.MOST_BYTES):
            wanted = [item for item in items[part] if item]
            if not wanted:
                continue
            answer = await ask(self._agent, self._url, langfuse.body_of(wanted), self._headers, most=MOST_ANSWERED)
            if not answer.is_success:
                raise answer.refusal(part.start)
            receipt = langfuse.judge(batch[part], answer.body).behind(part.start).settle(answer.receipt)
        return receipt

    def _items(self, event: Event) -> bytes:
        if not is_exchange(event):
            return b""
        write = partial(langfuse.encode_items, environment=self._environment, release=self._release)
        return written(write, event, langfuse.MOST_BYTES)
